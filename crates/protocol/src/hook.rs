//! The call that asks the platform about a message before members see it: a signed HTTP request according to the Standard
//! Webhooks specification.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    CommandId, RoomId, UserId,
    call::{CallError, Secret},
    chat::{ChatCommand, MessageText},
    id, json, text,
};

/// The largest answer of a platform, in bytes.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// A message that a member wants to send.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "type", rename = "chat.message", rename_all = "camelCase")]
pub struct Question<'a> {
    /// The room.
    #[serde(serialize_with = "id::as_text")]
    pub room_id: &'a RoomId,
    /// The author.
    #[serde(serialize_with = "id::as_text")]
    pub user_id: &'a UserId,
    /// The author's name for the message.
    pub command_id: &'a CommandId,
    /// The text.
    pub text: &'a MessageText,
}

/// What the platform says about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Members see the message: this text, or the author's own.
    Allow(Option<MessageText>),
    /// Members do not see the message. The author gets the reason, if there is one.
    Refuse(Option<String>),
}

#[derive(Deserialize)]
struct Wire {
    allow: bool,
    text: Option<Value>,
    reason: Option<Value>,
}

/// A response is no answer. The error quotes nothing of the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAnswer {
    /// The body is not an object with `allow`.
    #[error("the response is not an object with \"allow\", true or false")]
    NotAnObject,
    /// The text may not be shown.
    #[error("the text in the response is not a message")]
    Text,
}

impl Answer {
    /// Reads the body of an answer. Whatever else is wrong in it, a refusal is one.
    pub fn read(body: &[u8]) -> Result<Self, InvalidAnswer> {
        let Wire { allow, text, reason } = json::from_object(body).map_err(|_| InvalidAnswer::NotAnObject)?;
        if !allow {
            let reason = reason.as_ref().and_then(Value::as_str).map(text::clean_line);
            return Ok(Self::Refuse(reason.filter(|reason| !reason.trim().is_empty())));
        }
        let Some(text) = text else { return Ok(Self::Allow(None)) };
        let changed = text.as_str().and_then(|text| MessageText::clean(text).ok());
        changed.map(|text| Self::Allow(Some(text))).ok_or(InvalidAnswer::Text)
    }
}

impl<'a> Question<'a> {
    /// The question about a message of a member.
    pub fn about(command: &'a ChatCommand, text: &'a MessageText) -> Self {
        let ChatCommand { membership, command_id, .. } = command;
        Self { room_id: &membership.room_id, user_id: &membership.user_id, command_id, text }
    }

    /// The id of the call. A message that is sent again has the same id.
    fn id(&self) -> String {
        let parts = [self.room_id.as_str(), self.user_id.as_str(), self.command_id.as_str()];
        // No id holds a tab.
        URL_SAFE_NO_PAD.encode(Sha256::digest(parts.join("\t")))
    }

    /// Makes the signed call. `now_s` is the time of the call in seconds since 1970.
    pub fn sign(&self, uri: Uri, now_s: i64, secret: &Secret) -> Result<Request<Bytes>, CallError> {
        let body = serde_json::to_vec(self)?;
        // Without a length, the body would be sent in chunks, which some servers do not read.
        let request = Request::builder()
            .method(Method::POST)
            .uri(uri)
            .header(header::CONTENT_LENGTH, body.len())
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(header::ACCEPT, HeaderValue::from_static("application/json"));
        Ok(secret.sign(&self.id(), now_s, &body, request)?.body(Bytes::from(body))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{call, chat::ChatAction, event::Membership};

    const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";

    fn command(user: &str) -> ChatCommand {
        ChatCommand {
            membership: Membership {
                room_id: "교실".parse().unwrap(),
                user_id: user.parse().unwrap(),
                entry_id: "e".parse().unwrap(),
            },
            command_id: "c-1".parse().unwrap(),
            action: ChatAction::Send { text: MessageText::clean("Hello").unwrap() },
        }
    }

    #[test]
    fn a_call_is_signed_and_names_the_message() {
        let (command, text) = (command("kim"), MessageText::clean("Hello").unwrap());
        let now_s = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs().try_into().unwrap();
        let question = Question::about(&command, &text);
        let request =
            question.sign("https://x/hook".parse().unwrap(), now_s, &SECRET.parse().unwrap()).unwrap();
        let secrets = call::parse_secrets(SECRET).unwrap();
        assert_eq!(call::check_signature(request.headers(), request.body(), &secrets), Ok(()));
        let body =
            r#"{"type":"chat.message","roomId":"교실","userId":"kim","commandId":"c-1","text":"Hello"}"#;
        assert_eq!(request.body().as_ref(), body.as_bytes());
        assert_eq!(request.headers()[header::CONTENT_LENGTH], body.len().to_string());
    }

    #[test]
    fn a_message_that_is_sent_again_has_the_same_id_and_another_one_has_not() {
        let text = MessageText::clean("Hello").unwrap();
        let id = |user| Question::about(&command(user), &text).id();
        assert_eq!(id("kim"), id("kim"));
        assert_ne!(id("kim"), id("ben"));
    }

    #[test]
    fn an_answer_allows_refuses_or_changes() {
        let read = |json: &str| Answer::read(json.as_bytes());
        assert_eq!(read(r#"{"allow":true,"score":1}"#), Ok(Answer::Allow(None)));
        let changed = MessageText::clean("H****").unwrap();
        assert_eq!(read(r#"{"allow":true,"text":" H****\u202e "}"#), Ok(Answer::Allow(Some(changed))));
        let refused = Answer::Refuse(Some("Be kind.".to_owned()));
        assert_eq!(read(r#"{"allow":false,"reason":"Be\nkind."}"#), Ok(refused));
        for unclear in [
            r#"{"allow":false}"#,
            r#"{"allow":false,"text":"","reason":" "}"#,
            r#"{"allow":false,"reason":7}"#,
        ] {
            assert_eq!(read(unclear), Ok(Answer::Refuse(None)), "{unclear}");
        }
        for wrong in [r#"{"allow":true,"text":""}"#, r#"{"allow":true,"text":7}"#] {
            assert_eq!(read(wrong), Err(InvalidAnswer::Text), "{wrong}");
        }
        for wrong in ["{}", r#"{"allow":"yes"}"#, "[true]", "secret"] {
            assert_eq!(read(wrong), Err(InvalidAnswer::NotAnObject), "{wrong}");
        }
    }
}

//! The chat of a room.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{
    CommandId, UserId,
    command::{Action, MemberCommand},
    event::EventKind,
    text,
};

/// The longest message, in characters.
pub const MAX_MESSAGE_CHARS: usize = 2000;

/// The most messages on one page of the history.
pub const MAX_HISTORY: u32 = 100;

/// The messages on a page of the history whose reader names no limit.
pub const DEFAULT_HISTORY: u32 = 50;

/// The longest time for which a user is muted, and the longest interval of slow mode, in milliseconds.
pub const MAX_PAUSE_MS: u64 = 24 * 60 * 60 * 1000;

/// The text of a message, which may have lines. Hidden characters are removed, and it has at least one visible character.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct MessageText(String);

/// A text is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("text must be from 1 to {MAX_MESSAGE_CHARS} characters")]
pub struct InvalidText;

impl MessageText {
    /// Cleans a text.
    pub fn clean(text: &str) -> Result<Self, InvalidText> {
        let text = text::clean_lines(text);
        let text = text.trim();
        let is_valid = (1..=MAX_MESSAGE_CHARS).contains(&text.chars().count());
        is_valid.then(|| Self(text.to_owned())).ok_or(InvalidText)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for MessageText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::clean(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A message, as clients see it.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The number of the message. Numbers of later messages of the room are larger.
    pub number: u64,
    /// The author's name for the message: the id of the command that sent it.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: CommandId,
    /// The author.
    pub user_id: UserId,
    /// The author's name at that time.
    pub user_name: String,
    /// Plain text, which clients must not interpret.
    pub text: String,
    /// When it was sent, in milliseconds since 1970.
    pub sent_at: u64,
}

/// What to do in the chat of a room. The names are those of the events that clients send.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", content = "data")]
pub enum ChatAction {
    /// Send a message.
    #[serde(rename = "chat:send")]
    Send {
        /// The text.
        #[cfg_attr(
            feature = "openapi",
            schema(value_type = String, min_length = 1, max_length = 2000, pattern = r"\S")
        )]
        text: MessageText,
    },
    /// Delete a message.
    #[serde(rename = "chat:delete")]
    Delete {
        /// The number of the message.
        number: u64,
    },
    /// Let a user send nothing for a time.
    #[serde(rename = "chat:mute", rename_all = "camelCase")]
    Mute {
        /// The user.
        user_id: UserId,
        /// For how many milliseconds; until the end of the session without it.
        #[serde(default, deserialize_with = "deserialize_pause", skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 86_400_000))]
        for_ms: Option<u64>,
    },
    /// Let a muted user send again.
    #[serde(rename = "chat:unmute", rename_all = "camelCase")]
    Unmute {
        /// The user.
        user_id: UserId,
    },
    /// Let each user send only once in an interval.
    #[serde(rename = "chat:slow", rename_all = "camelCase")]
    Slow {
        /// The interval in milliseconds, or 0 to end the slow mode.
        #[serde(deserialize_with = "deserialize_interval")]
        #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 86_400_000))]
        interval_ms: u64,
    },
    /// Read messages.
    #[serde(rename = "chat:history")]
    History(HistoryRequest),
}

impl ChatAction {
    /// Whether an operator may do this. Operators are no members, so they send no messages, and they read them otherwise.
    pub fn is_for_operators(&self) -> bool {
        !matches!(self, Self::Send { .. } | Self::History(_))
    }
}

fn check_pause(ms: u64) -> Result<u64, String> {
    let is_valid = ms <= MAX_PAUSE_MS;
    is_valid.then_some(ms).ok_or_else(|| format!("a time must be at most {MAX_PAUSE_MS} milliseconds"))
}

fn deserialize_pause<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let ms = Option::<u64>::deserialize(deserializer)?;
    if ms == Some(0) {
        return Err(D::Error::custom("forMs must be at least 1"));
    }
    ms.map(check_pause).transpose().map_err(D::Error::custom)
}

fn deserialize_interval<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    check_pause(u64::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// Which messages to read: the latest, or those next to a message.
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams, utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRequest {
    /// Read the messages before this number, the latest of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// Read the messages after this number, the oldest of them. Excludes `before`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// The most messages and deletions to read, from 1 to 100; 50 by default.
    #[serde(default = "default_limit")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 100))]
    pub limit: u32,
}

fn default_limit() -> u32 {
    DEFAULT_HISTORY
}

impl Default for HistoryRequest {
    fn default() -> Self {
        Self { before: None, after: None, limit: DEFAULT_HISTORY }
    }
}

/// A request for messages breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHistory {
    /// The limit is out of range.
    #[error("limit must be from 1 to {MAX_HISTORY}")]
    Limit,
    /// The request names both directions.
    #[error("before and after exclude each other")]
    BothWays,
}

impl HistoryRequest {
    /// Checks the rules that the types do not express.
    pub fn validate(&self) -> Result<(), InvalidHistory> {
        if !(1..=MAX_HISTORY).contains(&self.limit) {
            return Err(InvalidHistory::Limit);
        }
        if self.before.is_some() && self.after.is_some() {
            return Err(InvalidHistory::BothWays);
        }
        Ok(())
    }
}

/// A user who may write nothing for a time.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mute {
    /// The user.
    pub user_id: UserId,
    /// Until when, in milliseconds since 1970.
    pub muted_until: u64,
}

/// A page of the history of a chat.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct History {
    /// The messages, oldest first.
    pub messages: Vec<Message>,
    /// The numbers of messages that were deleted in the time of the page.
    pub deleted: Vec<u64>,
    /// The number with which the page before this one ends; none if the page is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
    /// The number after which the next page begins; none if the page is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<u64>,
    /// Whether more follow in the direction of the request.
    pub more: bool,
    /// The interval in which each user may send once, while slow mode is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_ms: Option<u64>,
    /// Until when the reader is muted, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<u64>,
    /// Who may write nothing at the moment; at most 100 users, those who are muted for the longest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mutes: Vec<Mute>,
    /// The time of Redis.
    pub now: u64,
}

/// A member's command to the chat of the room.
pub type ChatCommand = MemberCommand<ChatAction>;

impl Action for ChatAction {
    const KIND: EventKind = EventKind::Chat;
}

/// The data of the ack of a command to the chat, apart from `chat:history`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatAck {
    /// The message, after `chat:send`; none if it was sent long ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    /// The session.
    pub epoch: u64,
    /// The last event that the ack includes.
    pub seq: u64,
    /// The time of Redis, in milliseconds since 1970.
    pub now: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(command: &str, data: &str) -> Result<ChatAction, String> {
        let json = format!(r#"{{"command":"{command}","data":{data}}}"#);
        serde_json::from_str(&json).map_err(|error| error.to_string())
    }

    #[test]
    fn a_message_is_plain_text_with_lines_and_without_hidden_characters() {
        let sent = action("chat:send", r#"{"id":"c-1","text":" a\r\nb\t<b>\u202e\u0007 "}"#).unwrap();
        assert_eq!(sent, ChatAction::Send { text: MessageText::clean("a\nb\t<b>").unwrap() });
        let longest = "글".repeat(MAX_MESSAGE_CHARS);
        assert_eq!(MessageText::clean(&longest).unwrap().as_str(), longest);
        for text in ["", " \\n ", "\\u200b", &"x".repeat(MAX_MESSAGE_CHARS + 1)] {
            let error = action("chat:send", &format!(r#"{{"text":"{text}"}}"#)).unwrap_err();
            assert!(error.contains("from 1 to 2000 characters"), "{error}");
        }
    }

    #[test]
    fn what_the_chat_does_not_know_is_refused_by_name() {
        for (command, data, reason) in [
            ("chat:send", "{}", "text"),
            ("chat:send", r#"{"text":7}"#, "string"),
            ("chat:delete", r#"{"number":-1}"#, "u64"),
            ("chat:delete", r#"{"number":"1"}"#, "u64"),
            ("chat:mute", "{}", "userId"),
            ("chat:mute", r#"{"userId":"kim","forMs":86400001}"#, "at most"),
            ("chat:mute", r#"{"userId":"kim","forMs":0}"#, "at least 1"),
            ("chat:slow", r#"{"intervalMs":86400001}"#, "at most"),
            ("chat:slow", "{}", "intervalMs"),
            ("chat:history", r#"{"limit":"all"}"#, "u32"),
            ("chat:shout", "{}", "chat:send"),
        ] {
            let error = action(command, data).unwrap_err();
            assert!(error.contains(reason), "{command} {data}: {error}");
        }
    }

    #[test]
    fn a_page_of_the_history_goes_one_way_and_is_bounded() {
        let request = |data: &str| match action("chat:history", data).unwrap() {
            ChatAction::History(request) => request,
            other => panic!("{other:?}"),
        };
        assert_eq!(request("{}"), HistoryRequest::default());
        assert_eq!(request(r#"{"after":7,"limit":100}"#).validate(), Ok(()));
        for limit in [0, 101] {
            let error = request(&format!(r#"{{"limit":{limit}}}"#)).validate();
            assert_eq!(error, Err(InvalidHistory::Limit));
        }
        assert_eq!(request(r#"{"after":7,"before":9}"#).validate(), Err(InvalidHistory::BothWays));
    }

    #[test]
    fn operators_moderate_and_do_not_write() {
        let is_for_operators = |command, data| action(command, data).unwrap().is_for_operators();
        assert!(is_for_operators("chat:delete", r#"{"number":7}"#));
        assert!(is_for_operators("chat:mute", r#"{"userId":7}"#));
        assert!(!is_for_operators("chat:send", r#"{"text":"x"}"#));
        assert!(!is_for_operators("chat:history", "{}"));
    }

    #[test]
    fn a_command_reads_back() {
        let json = r#"{"roomId":"r","userId":"7","entryId":"e","commandId":"c","command":"chat:mute","data":{"userId":8,"forMs":1000}}"#;
        let command: ChatCommand = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&command).unwrap(), json);
    }
}

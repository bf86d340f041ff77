//! What clients send, and the acks they get.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeStruct};
use serde_json::value::RawValue;

use crate::{ErrorCode, Refusal, RoomId, UserId, resume::ResumeToken, session::Grant};

/// The events that clients send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ClientEvent {
    /// Enter a room, or come back to it.
    #[serde(rename = "room:join")]
    Join,
    /// Leave the room for good.
    #[serde(rename = "room:leave")]
    Leave,
    /// Show a fresh token before the old one runs out.
    #[serde(rename = "auth:refresh")]
    Refresh,
}

impl ClientEvent {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Join, Self::Leave, Self::Refresh];

    /// The event of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|event| event.as_str() == name)
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Join => "room:join",
            Self::Leave => "room:leave",
            Self::Refresh => "auth:refresh",
        }
    }
}

/// The payload of `room:join`. Members that are not known are left aside, so that newer clients can talk to
/// older servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinRequest {
    /// The room to enter.
    pub group_id: RoomId,
    /// From the ack of an earlier join: takes that entry's place at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_token: Option<ResumeToken>,
}

/// The payload of `auth:refresh`. It has no textual form, as it holds a token.
#[derive(Deserialize)]
pub struct RefreshRequest {
    /// A token of the same user.
    pub token: String,
}

/// The answer to `auth:refresh`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refreshed {
    /// When the new token runs out, in milliseconds since 1970.
    pub expires_at: u64,
}

/// The event that warns a client before its token runs out.
pub const EXPIRING: &str = "auth:expiring";

/// The payload of [`EXPIRING`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Expiring {
    /// When the token runs out, in milliseconds since 1970.
    pub expires_at: u64,
    /// How many milliseconds from now that is.
    pub remain_ms: u64,
}

/// The event that tells a client that its bridge stops.
pub const DRAINING: &str = "server:draining";

/// The payload of [`DRAINING`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Draining {
    /// After how many milliseconds the bridge closes this connection; each client has a time of its own.
    pub delay_ms: u64,
}

/// What the app answers and the client gets as ack: `{success: true, data}` or
/// `{success: false, code, message}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack<T>(pub Result<T, Refusal>);

impl<T> From<ErrorCode> for Ack<T> {
    fn from(code: ErrorCode) -> Self {
        Self(Err(code.into()))
    }
}

impl<T: Serialize> Serialize for Ack<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Ok(data) => {
                let mut ack = serializer.serialize_struct("Ack", 2)?;
                ack.serialize_field("success", &true)?;
                ack.serialize_field("data", data)?;
                ack.end()
            }
            Err(refusal) => {
                let mut ack = serializer.serialize_struct("Ack", 3)?;
                ack.serialize_field("success", &false)?;
                ack.serialize_field("code", &refusal.code)?;
                ack.serialize_field("message", &refusal.message)?;
                ack.end()
            }
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ack<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(bound = "T: Deserialize<'de>")]
        struct Wire<T> {
            success: bool,
            data: Option<T>,
            code: Option<ErrorCode>,
            message: Option<String>,
        }

        let wire = Wire::<T>::deserialize(deserializer)?;
        if wire.success {
            return wire.data.map(|data| Self(Ok(data))).ok_or_else(|| de::Error::missing_field("data"));
        }
        let code = wire.code.ok_or_else(|| de::Error::missing_field("code"))?;
        Ok(Self(Err(Refusal { code, message: wire.message.unwrap_or_default() })))
    }
}

/// What a member learns on entering. All times are milliseconds since 1970.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Joined {
    /// Everybody in the room, in the order in which they came; left out of rooms above the roster limit.
    /// Passed through as the script wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Box<RawValue>>,
    /// How many are in the room.
    pub count: u32,
    /// When the session ends.
    pub end_at: u64,
    /// How many milliseconds from now that is, by the server's clock.
    pub remain_ms: u64,
    /// Who leads the session, by its definition.
    pub leader_id: UserId,
    /// Who acts as host now: the leader while present, else the one who has been there longest.
    pub host_id: UserId,
    /// Names the session that `seq` counts in.
    pub epoch: u64,
    /// The last event that this answer already includes; what is newer comes as events.
    pub seq: u64,
    /// Whether this entry started the session.
    pub first: bool,
    /// Whether this entry goes on with a membership: after a lost connection, or in the place of another one.
    pub recovered: bool,
}

/// What a client gets on entering: what the app answered, and what the bridge adds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Welcome {
    /// What the app answered.
    #[serde(flatten)]
    pub joined: Joined,
    /// Takes this entry's place when it is presented with a later join, even before the connection's loss was noticed.
    pub resume_token: ResumeToken,
}

/// The data of an ack that tells nothing but success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Done {}

/// Who a token speaks for, as `connect` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The user.
    #[serde(flatten)]
    pub profile: Profile,
    /// When the token expires, in seconds since 1970.
    pub expires_at_s: u64,
    /// What the token says of a session, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
}

/// What others see of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// The user's id.
    pub user_id: UserId,
    /// The name that others see.
    pub user_name: String,
    /// The role, if the token names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_role: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn acks_have_the_two_documented_shapes() {
        let success: Ack<Done> = Ack(Ok(Done {}));
        assert_eq!(serde_json::to_value(&success).unwrap(), json!({"success": true, "data": {}}));
        let refusal: Ack<Done> = ErrorCode::SessionEnded.into();
        assert_eq!(
            serde_json::to_value(&refusal).unwrap(),
            json!({"success": false, "code": "SESSION_ENDED", "message": "The session is over."})
        );
    }

    #[test]
    fn acks_read_back() {
        for ack in [Ack(Ok(Done {})), ErrorCode::NotAMember.into()] {
            let json = serde_json::to_string(&ack).unwrap();
            assert_eq!(serde_json::from_str::<Ack<Done>>(&json).unwrap(), ack);
        }
    }

    #[test]
    fn a_welcome_holds_the_list_of_members_as_it_came() {
        let members = r#"[{"userId":"kim","joinedAt":1}]"#;
        let json = format!(
            r#"{{"members":{members},"count":1,"endAt":2,"remainMs":1,"leaderId":"l","hostId":"k","epoch":1,"seq":0,"first":true,"recovered":false}}"#
        );
        let welcome =
            Welcome { joined: serde_json::from_str(&json).unwrap(), resume_token: ResumeToken::new([1; 32]) };
        let written = serde_json::to_string(&welcome).unwrap();
        assert!(written.contains(members) && written.contains(r#""resumeToken":"AQEB"#), "{written}");
    }

    #[test]
    fn client_event_names_are_what_serde_writes() {
        for &event in ClientEvent::ALL {
            assert_eq!(serde_json::to_value(event).unwrap(), event.as_str());
        }
    }
}

//! Events that clients send, and their acks.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeStruct};
use serde_json::value::RawValue;

use crate::{
    ErrorCode, Refusal, RoomId, UserId, command::CommandName, definition::Grant, error::Current,
    resume::ResumeToken, text,
};
#[cfg(feature = "openapi")]
use crate::{
    document::DocumentName,
    lobby::{RoomCounts, WatchRequest},
};

macro_rules! client_events {
    ($($name:ident $event:literal $payload:ident $ack:ident $description:literal)*) => {
        /// The events that clients send.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ClientEvent {
            $(#[doc = $description] $name,)*
            /// Change something in the room that the member is in.
            Command(CommandName),
        }

        impl ClientEvent {
            /// All events.
            pub fn all() -> impl Iterator<Item = Self> {
                let commands = CommandName::ALL.iter().copied().map(Self::Command);
                [$(Self::$name),*].into_iter().chain(commands)
            }

            /// The event of a name.
            pub fn named(name: &str) -> Option<Self> {
                Self::all().find(|event| event.as_str() == name)
            }

            /// The name on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $event,)*
                    Self::Command(command) => command.as_str(),
                }
            }

            /// The payload, the data of the ack, and what the event does.
            #[cfg(feature = "openapi")]
            pub fn describe(self) -> crate::schema::DescribedEvent {
                use crate::schema::{Described, DescribedEvent};
                match self {
                    $(Self::$name => DescribedEvent {
                        payload: Described::of::<$payload>(),
                        ack: Described::of::<$ack>(),
                        description: $description.to_owned(),
                    },)*
                    Self::Command(command) => command.describe(),
                }
            }
        }
    };
}

client_events! {
    Join "room:join" JoinRequest JoinAck "Enter the room, or come back to it."
    Leave "room:leave" Done Done "Leave the room for good."
    Refresh "auth:refresh" RefreshRequest Refreshed "Present a new token of the same user before the old token expires."
    Watch "lobby:watch" WatchRequest RoomCounts "Watch how many are in these rooms, instead of those before."
    CloseDocument "document:close" DocumentName Done "Get no more events of a document."
    Ping "server:ping" Done Done "Ask whether the connection works. The bridge answers at once, while other events still wait for the app."
}

/// What a client presents when it connects: over Socket.IO the `auth`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Default, Deserialize)]
// No `Debug`, because it holds a token.
pub struct Handshake {
    /// A JWT of the user; without it, the header `Authorization` has to carry one.
    pub token: Option<String>,
    /// The version of the protocol that the client speaks; without it, the client takes what it gets.
    pub version: Option<u32>,
}

/// The payload of `room:join`. The server ignores unknown members, so that newer clients can talk to older servers.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinRequest {
    /// The room to enter.
    pub group_id: RoomId,
    /// The token from the ack of an earlier join. The new entry replaces the entry of that join at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, min_length = 43, max_length = 43))]
    pub resume_token: Option<ResumeToken>,
}

/// The payload of `auth:refresh`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Deserialize)]
// No `Debug`, because it holds a token.
pub struct RefreshRequest {
    /// A token of the same user.
    pub token: String,
}

/// The data of the ack of `auth:refresh`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refreshed {
    /// When the new token expires, in milliseconds since 1970.
    pub expires_at: u64,
}

/// The payload of `auth:expiring`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Expiring {
    /// When the token expires, in milliseconds since 1970.
    pub expires_at: u64,
    /// The milliseconds until then.
    pub remain_ms: u64,
}

/// The payload of `server:draining`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Draining {
    /// After how many milliseconds the bridge closes this connection. The bridge chooses the delay anew for each client.
    pub delay_ms: u64,
}

/// The form of a result on the wire, in the app's responses and the clients' acks: `{success: true, data}` or
/// `{success: false, code, message, current?}`. All other code handles the [`Result`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack<T>(Result<T, Refusal>);

impl<T, E: Into<Refusal>> From<Result<T, E>> for Ack<T> {
    fn from(result: Result<T, E>) -> Self {
        Self(result.map_err(Into::into))
    }
}

impl<T> Ack<T> {
    /// The result.
    pub fn into_result(self) -> Result<T, Refusal> {
        self.0
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
                let mut ack = serializer.serialize_struct("Ack", 4)?;
                ack.serialize_field("success", &false)?;
                ack.serialize_field("code", &refusal.code)?;
                ack.serialize_field("message", &refusal.message)?;
                match &refusal.current {
                    Some(current) => ack.serialize_field("current", current)?,
                    None => ack.skip_field("current")?,
                }
                ack.end()
            }
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ack<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        AckFields::deserialize(deserializer)?.into_ack()
    }
}

/// The fields of an ack on the wire.
#[derive(Deserialize)]
pub(crate) struct AckFields<T> {
    pub(crate) success: bool,
    pub(crate) data: Option<T>,
    pub(crate) code: Option<ErrorCode>,
    pub(crate) message: Option<String>,
    pub(crate) current: Option<Current>,
}

impl<T> AckFields<T> {
    pub(crate) fn into_ack<E: de::Error>(self) -> Result<Ack<T>, E> {
        if self.success {
            return self.data.map(|data| Ack(Ok(data))).ok_or_else(|| de::Error::missing_field("data"));
        }
        let code = self.code.ok_or_else(|| de::Error::missing_field("code"))?;
        let refusal = Refusal::because(code, self.message.unwrap_or_default());
        Ok(Ack(Err(refusal.with_current(self.current))))
    }
}

/// A room, for a member who enters. All times are milliseconds since 1970.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Joined {
    /// The members of the room, in the order of entering; absent in rooms above the roster limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<crate::api::Member>>))]
    // The JSON is the script's own.
    pub members: Option<Box<RawValue>>,
    /// The number of members.
    pub count: u32,
    /// When the session ends.
    pub end_at: u64,
    /// The milliseconds until then, by the server's clock.
    pub remain_ms: u64,
    /// The leader of the session, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader_id: Option<UserId>,
    /// The current host: the leader while present, otherwise the longest-present member.
    pub host_id: UserId,
    /// The session that `seq` counts in.
    pub epoch: u64,
    /// The last event that this response includes. Newer changes arrive as events.
    pub seq: u64,
    /// Whether this entry started the session.
    pub first: bool,
    /// Whether this entry continues a membership, after a lost connection or in place of another connection.
    pub recovered: bool,
    /// The time of Redis.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub now: u64,
    /// The timer of the room, if one has been set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::timer::Timer>))]
    // The JSON is the script's own.
    pub timer: Option<Box<RawValue>>,
}

/// The data of the ack of `room:join`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinAck {
    /// The app's response.
    #[serde(flatten)]
    pub joined: Joined,
    /// A later join with this token replaces this entry, even before anybody has noticed the loss of the connection.
    #[cfg_attr(feature = "openapi", schema(value_type = String, min_length = 43, max_length = 43))]
    pub resume_token: ResumeToken,
    /// The version of the protocol that the server speaks.
    pub version: u32,
}

/// Nothing: the payload of an event that says all by its name, and the data of an ack without data.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Done {}

/// The user of a token: the app's response to [`Connect`](crate::event::Connect).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The user.
    #[serde(flatten)]
    pub profile: Profile,
    /// When the token expires, in seconds since 1970.
    pub expires_at_s: u64,
    /// The session that the token grants, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
}

/// The public data of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// The user's id.
    pub user_id: UserId,
    /// The name that others see.
    #[serde(deserialize_with = "text::deserialize_line")]
    pub user_name: String,
    /// The role, if the token names one.
    #[serde(
        default,
        deserialize_with = "text::deserialize_optional_line",
        skip_serializing_if = "Option::is_none"
    )]
    pub user_role: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::version::VERSION;

    #[test]
    fn every_event_is_found_by_its_name() {
        for name in ["room:join", "room:leave", "auth:refresh", "lobby:watch", "server:ping", "chat:send"] {
            assert_eq!(ClientEvent::named(name).map(ClientEvent::as_str), Some(name));
        }
        assert_eq!(ClientEvent::named("room:burn"), None);
    }

    #[test]
    fn acks_have_the_two_documented_shapes() {
        let success = Ack::from(Ok::<_, Refusal>(Done {}));
        assert_eq!(serde_json::to_value(&success).unwrap(), json!({"success": true, "data": {}}));
        let refusal = Ack::<Done>::from(Err(ErrorCode::SessionEnded));
        assert_eq!(
            serde_json::to_value(&refusal).unwrap(),
            json!({"success": false, "code": "SESSION_ENDED", "message": "The session is over."})
        );
    }

    #[test]
    fn acks_read_back() {
        for ack in [Ok(Done {}), Err(ErrorCode::NotAMember)].map(Ack::from) {
            let json = serde_json::to_string(&ack).unwrap();
            assert_eq!(serde_json::from_str::<Ack<Done>>(&json).unwrap(), ack);
        }
    }

    #[test]
    fn the_ack_of_a_join_holds_the_list_of_members_unchanged() {
        let members = r#"[{"userId":"kim","joinedAt":1}]"#;
        let json = format!(
            r#"{{"members":{members},"count":1,"endAt":2,"remainMs":1,"leaderId":"l","hostId":"k","epoch":1,"seq":0,"first":true,"recovered":false}}"#
        );
        let ack = JoinAck {
            joined: serde_json::from_str(&json).unwrap(),
            resume_token: ResumeToken::new([1; 32]),
            version: VERSION,
        };
        let written = serde_json::to_string(&ack).unwrap();
        assert!(written.contains(members) && written.contains(r#""resumeToken":"AQEB"#), "{written}");
    }

    #[test]
    fn the_user_of_a_token_keeps_the_type_of_the_id() {
        for id in ["7", r#""7""#] {
            let json = format!(r#"{{"userId":{id},"userName":"Kim","expiresAtS":1}}"#);
            let identity: Identity = serde_json::from_str(&json).unwrap();
            assert_eq!(serde_json::to_string(&identity).unwrap(), json);
        }
    }

    #[test]
    fn names_and_roles_are_cleaned() {
        let json = r#"{"userId":"kim","userName":"K\u202eim\n","userRole":"\u200btutor"}"#;
        let profile: Profile = serde_json::from_str(json).unwrap();
        assert_eq!((profile.user_name.as_str(), profile.user_role.as_deref()), ("Kim ", Some("tutor")));
        let profile: Profile = serde_json::from_str(r#"{"userId":"kim","userName":"Kim"}"#).unwrap();
        assert_eq!(profile.user_role, None);
    }

    #[test]
    fn events_are_found_by_their_names() {
        for event in ClientEvent::all() {
            assert_eq!(ClientEvent::named(event.as_str()), Some(event));
        }
        assert_eq!(ClientEvent::named("room:burn"), None);
    }
}

//! Events that clients get. Scripts publish most of them as JSON of their own, so these types only describe the payloads.
//! A test compares the table with the scripts, and an end-to-end test compares real payloads with the types.

use serde::Deserialize;

use crate::{RoomId, UserId, api::Member, chat::Message, code::Snippet, status::Status, timer::Timer};
#[cfg(feature = "openapi")]
use crate::{
    api::RoomState,
    client::{Draining, Expiring},
    document::DocumentName,
    error::Refusal,
    lobby::RoomCounts,
};

macro_rules! server_events {
    ($($name:ident $event:literal $payload:ident $description:literal)*) => {
        /// The events that clients get.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ServerEvent {
            $(#[doc = $description] $name,)*
        }

        impl ServerEvent {
            /// All events.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $event,)* }
            }

            /// What the event says.
            pub fn description(self) -> &'static str {
                match self { $(Self::$name => $description,)* }
            }

            /// The type of the payload.
            #[cfg(feature = "openapi")]
            pub fn payload(self) -> crate::schema::Described {
                match self { $(Self::$name => crate::schema::Described::of::<$payload>(),)* }
            }
        }
    };
}

server_events! {
    Started "room:started" RoomStarted "The first member has entered, and the session has started."
    ParticipantsChanged "room:participantsChanged" ParticipantsChanged "Members have entered, left or been removed, have not come back within the grace period, or have another name or role."
    ParticipantReconnecting "room:participantReconnecting" ParticipantReconnecting "Members have lost their connections, and the grace period runs."
    ParticipantReconnected "room:participantReconnected" ParticipantReconnected "Members have come back within the grace period."
    MemberUpdated "room:memberUpdated" MemberUpdated "Members say something else about their status or goal."
    HostChanged "room:hostChanged" HostChanged "The room has a new host."
    LeaderChanged "room:leaderChanged" LeaderChanged "The definition names another leader, or none."
    Rescheduled "room:rescheduled" RoomSchedule "The end of the session has moved."
    Reminder "room:reminder" RoomSchedule "The end of the session is near."
    Ended "room:ended" RoomEnded "The session is over. The bridge then closes the socket."
    Notice "room:notice" RoomNotice "An operator sends plain text to all members."
    State "room:state" RoomState "The room as it is, after events may have been missed. Replaces everything that the client knows, apart from the chat and the code."
    Replaced "room:replaced" RoomClosed "Another connection of the same user has taken the place of this one. The bridge then closes the socket; do not reconnect automatically."
    Removed "room:removed" RoomClosed "An operator has removed the user, or the definition no longer lists the user. The bridge then closes the socket."
    Muted "room:muted" Muted "A user may write nothing for a time."
    Unmuted "room:unmuted" Unmuted "A user may write again."
    TimerChanged "timer:changed" TimerChanged "Somebody has set, started, stopped or changed the timer."
    TimerPhaseChanged "timer:phaseChanged" TimerPhaseChanged "A phase of the timer has ended."
    ChatMessage "chat:message" ChatMessage "A member has written a message."
    ChatDeleted "chat:deleted" ChatDeleted "Somebody has deleted a message."
    ChatSlowed "chat:slowed" ChatSlowed "Somebody has set the slow mode."
    CodeShared "code:shared" SnippetChanged "A member has shared a snippet."
    CodeUpdated "code:updated" SnippetChanged "A member has changed a snippet."
    CodeClosed "code:closed" SnippetClosed "Somebody has closed a snippet."
    DocumentUpdated "document:updated" DocumentUpdated "Somebody has changed a document that this connection has open."
    DocumentAwareness "document:awareness" AwarenessUpdated "Somebody shows a position in a document that this connection has open."
    DocumentMissed "document:missed" DocumentName "Updates of a document may have been missed: open the document again."
    LobbyChanged "lobby:changed" RoomCounts "Counts of watched rooms have changed. Holds only the rooms that have changed."
    Expiring "auth:expiring" Expiring "The token expires soon."
    Draining "server:draining" Draining "The bridge stops, and soon closes this connection. Connect again after the close."
    Error "error" Refusal "An error outside a room: a message that the bridge cannot read and that has no id, or the reason for which the bridge is about to close the socket."
}

/// The place of an event in its session.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Position {
    /// The session that `seq` counts in.
    pub epoch: u64,
    /// Rises by one with each event of the session.
    pub seq: u64,
    /// The `seq` of the first change, in an event that the bridge has merged from several.
    pub first_seq: Option<u64>,
}

/// A user, with the name that others see.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamedUser {
    /// The user.
    pub user_id: UserId,
    /// The name that others see.
    pub user_name: String,
}

/// The payload of `room:started`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomStarted {
    /// The room.
    pub group_id: RoomId,
    /// When the session started, in milliseconds since 1970.
    pub started_at: u64,
    /// When the session ends.
    pub end_at: u64,
    /// The leader of the session, if it has one.
    pub leader_id: Option<UserId>,
    /// The host.
    pub host_id: UserId,
    /// The members; absent above the roster limit.
    pub members: Option<Vec<Member>>,
    /// The number of members.
    pub count: u32,
    /// The place of the event.
    #[serde(flatten)]
    pub position: Position,
}

/// The payload of `room:participantsChanged`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ParticipantsChanged {
    /// What happened, and to whom.
    pub change: MembersChange,
    /// The number of members.
    pub count: u32,
    /// The members after the change, in the order of entering; absent above the roster limit, and where a later event that
    /// goes out at the same time has the list.
    pub members: Option<Vec<Member>>,
    /// The place of the event.
    #[serde(flatten)]
    pub position: Position,
}

/// A change of the members of a room.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MembersChange {
    /// What happened. Further types may come: use `members` and `count`.
    pub r#type: MembersChangeType,
    /// To whom it happened.
    pub users: Vec<ChangedUser>,
}

/// What happened to members.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MembersChangeType {
    /// They entered.
    Entered,
    /// They left for good.
    Left,
    /// They did not come back within the grace period.
    GraceExpired,
    /// They were removed.
    Removed,
    /// They have another name or role.
    Updated,
}

/// A user whom a change of members is about.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangedUser {
    /// The user.
    pub user_id: UserId,
    /// The name that others see.
    pub user_name: String,
    /// The role, if the user has one; only of changes of the type `updated`.
    pub user_role: Option<String>,
}

/// The payload of `room:participantReconnecting`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ParticipantReconnecting {
    /// Who has lost the connection.
    #[serde(flatten)]
    pub who: ReconnectingUsers,
    /// The place of the event.
    #[serde(flatten)]
    pub position: Position,
}

/// Who has lost the connection: the fields of one, or `users` of several events that the bridge has merged.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum ReconnectingUsers {
    /// Several members.
    Many {
        /// The members.
        users: Vec<ReconnectingUser>,
    },
    /// One member.
    One(ReconnectingUser),
}

/// A user who has lost the connection.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReconnectingUser {
    /// The user.
    pub user_id: UserId,
    /// The name that others see.
    pub user_name: String,
    /// Until when the user may come back, in milliseconds since 1970.
    pub grace_until: u64,
}

/// The payload of `room:participantReconnected`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ParticipantReconnected {
    /// Who has come back.
    #[serde(flatten)]
    pub who: ReconnectedUsers,
    /// The number of members.
    pub count: u32,
    /// The members, in the order of entering; absent above the roster limit, and where a later event that goes out at the
    /// same time has the list.
    pub members: Option<Vec<Member>>,
    /// The place of the event.
    #[serde(flatten)]
    pub position: Position,
}

/// Who has come back: the fields of one, or `users` of several events that the bridge has merged.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum ReconnectedUsers {
    /// Several members.
    Many {
        /// The members.
        users: Vec<NamedUser>,
    },
    /// One member.
    One(NamedUser),
}

/// The payload of `room:memberUpdated`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MemberUpdated {
    /// Who says something else.
    #[serde(flatten)]
    pub who: UpdatedUsers,
    /// The time of Redis, in milliseconds since 1970.
    pub now: u64,
    /// The place of the event.
    #[serde(flatten)]
    pub position: Position,
}

/// Who says something else about the status or the goal: the fields of one, or `users` of several events that the bridge has merged.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum UpdatedUsers {
    /// Several members.
    Many {
        /// The members.
        users: Vec<UserStatus>,
    },
    /// One member.
    One(UserStatus),
}

/// What a member says about the status and the goal. What is absent the member does not say.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserStatus {
    /// The member.
    pub user_id: UserId,
    /// The name that others see.
    pub user_name: String,
    /// What the member does at the moment.
    pub status: Option<Status>,
    /// What the member works on.
    pub goal: Option<String>,
}

/// The payload of `room:hostChanged`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostChanged {
    /// The new host.
    pub host_id: UserId,
    /// The name of the host.
    pub user_name: String,
    /// The place of the event.
    #[serde(flatten)]
    pub position: Position,
}

/// The payload of `room:leaderChanged`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaderChanged {
    /// The new leader, if there is one.
    pub leader_id: Option<UserId>,
    /// The place of the event.
    #[serde(flatten)]
    pub position: Position,
}

/// The payload of `room:rescheduled` and `room:reminder`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomSchedule {
    /// The room.
    pub group_id: RoomId,
    /// When the session ends, in milliseconds since 1970.
    pub end_at: u64,
    /// The milliseconds until then.
    pub remain_ms: u64,
    /// The place of the event.
    #[serde(flatten)]
    pub position: Position,
}

/// The payload of `room:ended`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomEnded {
    /// The room.
    pub group_id: RoomId,
    /// Why the session ended.
    pub reason: EndReason,
    /// The session; absent if the client was cut off when it ended.
    pub epoch: Option<u64>,
    /// The place of the event; absent if the client was cut off when the session ended.
    pub seq: Option<u64>,
}

/// Why a session ended.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EndReason {
    /// Its time was over.
    Time,
    /// An operator ended the session.
    Ended,
}

/// The payload of `room:notice`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomNotice {
    /// The room.
    pub group_id: RoomId,
    /// Plain text, which clients must not interpret.
    pub text: String,
    /// The place of the event.
    #[serde(flatten)]
    pub position: Position,
}

/// The payload of `room:replaced` and `room:removed`, which concern one user and have no place in the session.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomClosed {
    /// The room.
    pub group_id: RoomId,
}

/// The payload of `room:muted`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Muted {
    /// The user who may write nothing.
    pub user_id: UserId,
    /// Until when, in milliseconds since 1970.
    pub muted_until: u64,
    /// Who did it; absent if it was an operator.
    pub by: Option<NamedUser>,
    /// The time of Redis, in milliseconds since 1970.
    pub now: u64,
    /// The place of the event.
    #[serde(flatten)]
    pub position: Position,
}

/// The payload of `room:unmuted`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unmuted {
    /// The user who may write again.
    pub user_id: UserId,
    /// Who did it; absent if it was an operator.
    pub by: Option<NamedUser>,
    /// The time of Redis, in milliseconds since 1970.
    pub now: u64,
    /// The place of the event.
    #[serde(flatten)]
    pub position: Position,
}

/// The payload of `timer:changed`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TimerChanged {
    /// The timer after the change.
    pub timer: Timer,
    /// Who did it; absent if it was an operator.
    pub by: Option<NamedUser>,
    /// The time of Redis, in milliseconds since 1970.
    pub now: u64,
    /// The place of the event.
    #[serde(flatten)]
    pub position: Position,
}

/// The payload of `timer:phaseChanged`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TimerPhaseChanged {
    /// The timer in the new phase.
    pub timer: Timer,
    /// How many phases have ended since the last event: one, unless the app could not be on time.
    pub phases: u64,
    /// The time of Redis, in milliseconds since 1970.
    pub now: u64,
    /// The place of the event.
    #[serde(flatten)]
    pub position: Position,
}

/// The payload of `chat:message`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ChatMessage {
    /// The message.
    pub message: Message,
    /// The time of Redis, in milliseconds since 1970.
    pub now: u64,
    /// The place of the event.
    #[serde(flatten)]
    pub position: Position,
}

/// The payload of `chat:deleted`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ChatDeleted {
    /// The number of the deletion, among those of messages.
    pub number: u64,
    /// The number of the deleted message.
    pub deletes: u64,
    /// Who did it; absent if it was an operator.
    pub by: Option<NamedUser>,
    /// The time of Redis, in milliseconds since 1970.
    pub now: u64,
    /// The place of the event.
    #[serde(flatten)]
    pub position: Position,
}

/// The payload of `chat:slowed`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChatSlowed {
    /// The milliseconds in which each user may write once, or 0 after the end of the slow mode.
    pub slow_ms: u64,
    /// Who did it; absent if it was an operator.
    pub by: Option<NamedUser>,
    /// The time of Redis, in milliseconds since 1970.
    pub now: u64,
    /// The place of the event.
    #[serde(flatten)]
    pub position: Position,
}

/// The payload of `code:shared` and `code:updated`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SnippetChanged {
    /// The snippet.
    pub snippet: Snippet,
    /// The text, if it has at most 4 KiB. Plain text, which clients must not interpret.
    pub text: Option<String>,
    /// The time of Redis, in milliseconds since 1970.
    pub now: u64,
    /// The place of the event.
    #[serde(flatten)]
    pub position: Position,
}

/// The payload of `code:closed`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SnippetClosed {
    /// The number of the snippet.
    pub number: u64,
    /// Who did it; absent if it was an operator.
    pub by: Option<NamedUser>,
    /// The time of Redis, in milliseconds since 1970.
    pub now: u64,
    /// The place of the event.
    #[serde(flatten)]
    pub position: Position,
}

/// The payload of `document:updated`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DocumentUpdated {
    /// The number of the snippet.
    pub number: u64,
    /// How many updates the document has had, this one included.
    pub edit: u64,
    /// What changes: an update of Yjs in Base64.
    pub update: String,
    /// Who changes the document.
    pub user_id: UserId,
    /// The time of Redis, in milliseconds since 1970.
    pub now: u64,
}

/// The payload of `document:awareness`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwarenessUpdated {
    /// The number of the snippet.
    pub number: u64,
    /// What the editor shows of its user: an update of the awareness of Yjs in Base64.
    pub update: String,
    /// Whose editor it is.
    pub user_id: UserId,
    /// The time of Redis, in milliseconds since 1970.
    pub now: u64,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_the_documentation_lists_each() {
        let names: HashSet<_> = ServerEvent::ALL.iter().map(|event| event.as_str()).collect();
        assert_eq!(names.len(), ServerEvent::ALL.len());
        let page =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol.md")).unwrap();
        for name in names {
            assert!(page.contains(&format!("`{name}`")) || page.contains(&format!("`{name} {{")), "{name}");
        }
    }

    #[test]
    fn an_event_is_about_one_user_or_about_several() {
        let one = r#"{"userId":"kim","userName":"Kim","graceUntil":7,"epoch":1,"seq":2}"#;
        let event: ParticipantReconnecting = serde_json::from_str(one).unwrap();
        assert!(matches!(&event.who, ReconnectingUsers::One(user) if user.grace_until == 7));
        let many =
            r#"{"users":[{"userId":"kim","userName":"Kim","graceUntil":7}],"epoch":1,"seq":3,"firstSeq":2}"#;
        let event: ParticipantReconnecting = serde_json::from_str(many).unwrap();
        assert!(matches!(&event.who, ReconnectingUsers::Many { users } if users.len() == 1));
        assert_eq!(event.position, Position { epoch: 1, seq: 3, first_seq: Some(2) });
    }
}

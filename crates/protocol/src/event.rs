//! Events that a bridge sends to the app: one for each thing that happens on a socket.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{
    EntryId, Keyspace, NodeId, ResumeHash, RoomId, UserId,
    api::SweepReport,
    client::{Done, Identity, Joined, Profile},
    command::Feature,
    definition::Grant,
    id,
};

/// An event that a bridge sends to the app.
pub trait AppEvent: Serialize + DeserializeOwned {
    /// The kind, which chooses the component.
    const KIND: EventKind;

    /// The response of the app.
    type Response: Serialize + DeserializeOwned;
}

/// A client wants to connect.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connect {
    /// The JWT that the client presented.
    pub token: String,
}

impl std::fmt::Debug for Connect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connect").finish_non_exhaustive()
    }
}

impl AppEvent for Connect {
    const KIND: EventKind = EventKind::Connect;
    type Response = Identity;
}

/// A connected client wants to enter a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Join {
    /// The room to enter, as the client knows it.
    pub room_id: RoomId,
    /// The user who enters, from the response to [`Connect`].
    pub profile: Profile,
    /// The bridge chooses a new id for each entry and repeats the id when it retries, so the bridge can name the entry
    /// even if the response never arrives.
    pub entry_id: EntryId,
    /// The session that the user's token grants, from the response to [`Connect`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// The bridge that holds the connection.
    pub node_id: NodeId,
    /// The hash of the token that resumes this entry.
    pub resume_hash: ResumeHash,
    /// The hash of the resume token that the client presented. This entry replaces the entry of that token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumes: Option<ResumeHash>,
    /// The socket's previous entry, when a bridge rejoins by itself. This entry replaces that entry and no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<EntryId>,
    /// How many tokens the client has presented since the join of this entry. A repeated join with a higher number brings
    /// the name and role of a newer token.
    #[serde(default)]
    pub refreshes: u32,
}

impl AppEvent for Join {
    const KIND: EventKind = EventKind::Join;
    type Response = Joined;
}

/// Names a membership exactly: the room, the member and the entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Membership {
    /// The room.
    #[serde(serialize_with = "id::as_text")]
    pub room_id: RoomId,
    /// The member.
    #[serde(serialize_with = "id::as_text")]
    pub user_id: UserId,
    /// The entry. The app ignores an event about an entry that is no longer current.
    pub entry_id: EntryId,
}

/// A member leaves for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Leave(pub Membership);

impl AppEvent for Leave {
    const KIND: EventKind = EventKind::Leave;
    type Response = Done;
}

/// A member's connection was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Disconnect(pub Membership);

impl AppEvent for Disconnect {
    const KIND: EventKind = EventKind::Disconnect;
    type Response = Done;
}

/// A bridge node reports that it is alive, or that it stops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heartbeat {
    /// The bridge.
    pub node_id: NodeId,
    /// Whether the bridge stops. The app then treats its remaining connections as lost at once.
    pub is_leaving: bool,
}

impl AppEvent for Heartbeat {
    const KIND: EventKind = EventKind::Heartbeat;
    type Response = Lease;
}

/// The response to a [`Heartbeat`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    /// When the node's unbroken lease began, on a scale that only rises. A changed value means that the app has treated
    /// the node's earlier connections as lost.
    pub since: u64,
    /// Where the app publishes the events of rooms. Older apps do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyspace: Option<Keyspace>,
    /// In a cluster, the numbers of shards among which rooms lie: events go over the channels of shards there. None
    /// elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layouts: Vec<u64>,
    /// When something is due next; none for a bridge that stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_due: Option<NextDue>,
    /// How many of the living nodes have held their lease for longer; none for a bridge that stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<u32>,
}

/// When rooms have to be settled although no call arrives. Times are those of Redis's clock, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NextDue {
    /// When the app looked.
    pub as_of: u64,
    /// The first deadline; none if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<u64>,
    /// Whether the app looked at one room only, so that others may have earlier deadlines.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_partial: bool,
}

impl NextDue {
    /// The next deadline of two parts that the app has looked at.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            as_of: self.as_of.min(other.as_of),
            due_at: self.due_at.into_iter().chain(other.due_at).min(),
            is_partial: self.is_partial || other.is_partial,
        }
    }
}

/// A bridge asks the app to settle the rooms that are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {}

impl AppEvent for Sweep {
    const KIND: EventKind = EventKind::Sweep;
    type Response = Swept;
}

/// The response to a [`Sweep`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Swept {
    /// What the sweep did.
    #[serde(flatten)]
    pub report: SweepReport,
    /// When something is due next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_due: Option<NextDue>,
}

/// A bridge may have missed events of a room and asks for a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Read {
    /// The room.
    #[serde(serialize_with = "id::as_text")]
    pub room_id: RoomId,
    /// The entries that the bridge holds in the room, at most [`MAX_ENTRIES`].
    pub entries: Vec<EntryRef>,
}

impl AppEvent for Read {
    const KIND: EventKind = EventKind::Read;
    type Response = RoomSnapshot;
}

/// The most entries of one [`Read`], so that its body stays below the limit of a call.
pub const MAX_ENTRIES: usize = 150;

/// An entry and its user.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryRef {
    /// The member.
    #[serde(serialize_with = "id::as_text")]
    pub user_id: UserId,
    /// The entry.
    pub entry_id: EntryId,
}

/// The response to a [`Read`].
#[derive(Debug, Serialize, Deserialize)]
pub struct RoomSnapshot {
    /// The payload of `room:state`; none if no session is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<Box<RawValue>>,
    /// Those of the bridge's entries that are not current.
    pub gone: Vec<EntryId>,
}

/// The kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EventKind {
    /// [`Connect`]
    Connect,
    /// [`Join`]
    Join,
    /// [`Leave`]
    Leave,
    /// [`Disconnect`]
    Disconnect,
    /// [`Heartbeat`]
    Heartbeat,
    /// [`Read`]
    Read,
    /// [`Sweep`]
    Sweep,
    /// [`TimerCommand`](crate::timer::TimerCommand)
    Timer,
    /// [`StatusCommand`](crate::status::StatusCommand)
    Status,
    /// [`ChatCommand`](crate::chat::ChatCommand)
    Chat,
    /// [`CodeCommand`](crate::code::CodeCommand)
    Code,
    /// [`CountRooms`](crate::lobby::CountRooms)
    Lobby,
}

impl EventKind {
    /// All kinds.
    pub const ALL: &[Self] = &[
        Self::Connect,
        Self::Join,
        Self::Leave,
        Self::Disconnect,
        Self::Heartbeat,
        Self::Read,
        Self::Sweep,
        Self::Timer,
        Self::Status,
        Self::Chat,
        Self::Code,
        Self::Lobby,
    ];

    /// The name in bodies, logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Join => "join",
            Self::Leave => "leave",
            Self::Disconnect => "disconnect",
            Self::Heartbeat => "heartbeat",
            Self::Read => "read",
            Self::Sweep => "sweep",
            Self::Timer => "timer",
            Self::Status => "status",
            Self::Chat => "chat",
            Self::Code => "code",
            Self::Lobby => "lobby",
        }
    }

    /// The path of the component that handles such events.
    pub fn path(self) -> &'static str {
        match self {
            Self::Connect => "/events/connect",
            Self::Join => "/events/join",
            Self::Leave => "/events/leave",
            Self::Disconnect => "/events/disconnect",
            Self::Heartbeat => "/events/heartbeat",
            Self::Read => "/events/read",
            Self::Sweep => "/events/sweep",
            Self::Timer => "/events/timer",
            Self::Status => "/events/status",
            Self::Chat => "/events/chat",
            Self::Code => "/events/code",
            Self::Lobby => "/events/lobby",
        }
    }

    /// The CloudEvents `type`.
    pub fn ce_type(self) -> &'static str {
        match self {
            Self::Connect => "rollcall.connect",
            Self::Join => "rollcall.join",
            Self::Leave => "rollcall.leave",
            Self::Disconnect => "rollcall.disconnect",
            Self::Heartbeat => "rollcall.heartbeat",
            Self::Read => "rollcall.read",
            Self::Sweep => "rollcall.sweep",
            Self::Timer => "rollcall.timer",
            Self::Status => "rollcall.status",
            Self::Chat => "rollcall.chat",
            Self::Code => "rollcall.code",
            Self::Lobby => "rollcall.lobby",
        }
    }

    /// The feature that such events belong to. A deployment without the feature need not have the component.
    pub fn feature(self) -> Option<Feature> {
        match self {
            Self::Timer => Some(Feature::Timer),
            Self::Status => Some(Feature::Status),
            Self::Chat => Some(Feature::Chat),
            Self::Code => Some(Feature::Code),
            Self::Lobby => Some(Feature::Lobby),
            Self::Connect
            | Self::Join
            | Self::Leave
            | Self::Disconnect
            | Self::Heartbeat
            | Self::Read
            | Self::Sweep => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_does_not_show_in_debug_output() {
        let event = Connect { token: "secret".into() };
        let text = format!("{event:?}");
        assert!(text.contains("Connect") && !text.contains("secret"), "{text}");
    }

    #[test]
    fn parts_that_the_app_has_looked_at_are_due_at_the_first_deadline_as_of_the_first_look() {
        let next = |as_of, due_at| NextDue { as_of, due_at, is_partial: false };
        assert_eq!(next(2, Some(9)).merge(next(1, Some(8))), next(1, Some(8)));
        assert_eq!(next(1, None).merge(next(2, Some(8))), next(1, Some(8)));
        assert_eq!(next(1, None).merge(next(1, None)), next(1, None));
        assert!(next(1, None).merge(NextDue { is_partial: true, ..next(1, None) }).is_partial);
    }

    #[test]
    fn every_text_of_a_kind_is_made_of_its_name() {
        for &kind in EventKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert_eq!(kind.path(), format!("/events/{}", kind.name()));
            assert_eq!(kind.ce_type(), format!("rollcall.{}", kind.name()));
        }
    }
}

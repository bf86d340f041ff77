//! What a bridge tells the app: one event for each thing that happens on a socket.

use serde::{Deserialize, Serialize};

use serde_json::value::RawValue;

use crate::{EntryId, NodeId, ResumeHash, RoomId, UserId, client::Profile, session::Grant};

/// An event, as the body of a call. The kind stands in the body as well as in the path and in a header,
/// because the signature covers only the body: a call signed for one path must not work on another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum BridgeEvent {
    /// A client wants to connect.
    Connect(Connect),
    /// A connected client wants to enter a room.
    Join(Box<Join>),
    /// A member leaves for good.
    Leave(Membership),
    /// A member's connection was lost.
    Disconnect(Membership),
    /// A bridge node is there, or says goodbye.
    Heartbeat(Heartbeat),
    /// A bridge may have missed events of a room.
    Read(Read),
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

/// A connected client wants to enter a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Join {
    /// The room to enter.
    pub room_id: RoomId,
    /// Who enters, as `connect` told.
    pub profile: Profile,
    /// Chosen by the bridge, new for each entry and the same when it tries again, so that the bridge can name
    /// the entry even if the answer never reaches it.
    pub entry_id: EntryId,
    /// What the user's token says of a session, as `connect` told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// The bridge that holds the connection.
    pub node_id: NodeId,
    /// The hash of the token that this entry can be resumed with.
    pub resume_hash: ResumeHash,
    /// The hash of the token that the client presented: the entry that it was given for makes way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumes: Option<ResumeHash>,
    /// The entry that the same socket had before, when a bridge enters its members again by itself. It makes way, and
    /// no other does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<EntryId>,
}

/// Names a membership exactly: who, where, and through which entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Membership {
    /// The room.
    pub room_id: RoomId,
    /// The member.
    pub user_id: UserId,
    /// The entry; one that is no longer current changes nothing.
    pub entry_id: EntryId,
}

/// A bridge node is there, or says goodbye.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heartbeat {
    /// The bridge.
    pub node_id: NodeId,
    /// Whether it stops: what it still holds is lost at once.
    pub is_leaving: bool,
}

/// What a heartbeat is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Since when the node has had its lease without a break, on a scale that only rises. When it has changed,
    /// connections that the node held before were taken for lost.
    pub since: u64,
}

/// A bridge may have missed events of a room, and asks how things are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Read {
    /// The room.
    pub room_id: RoomId,
    /// What the bridge holds in it; not more than [`MAX_SEATS`].
    pub seats: Vec<Seat>,
}

/// The most seats that one [`Read`] asks about, so that it stays below the limit of a call's body.
pub const MAX_SEATS: usize = 150;

/// An entry and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seat {
    /// The member.
    pub user_id: UserId,
    /// The entry.
    pub entry_id: EntryId,
}

/// How things are in a room.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reading {
    /// The payload of `room:state`; none if no session is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<Box<RawValue>>,
    /// Which of the seats are not current.
    pub gone: Vec<EntryId>,
}

/// The kinds of [`BridgeEvent`], for paths and headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// [`BridgeEvent::Connect`]
    Connect,
    /// [`BridgeEvent::Join`]
    Join,
    /// [`BridgeEvent::Leave`]
    Leave,
    /// [`BridgeEvent::Disconnect`]
    Disconnect,
    /// [`BridgeEvent::Heartbeat`]
    Heartbeat,
    /// [`BridgeEvent::Read`]
    Read,
}

impl EventKind {
    /// The path of the component that takes such events.
    pub fn path(self) -> &'static str {
        match self {
            Self::Connect => "/events/connect",
            Self::Join => "/events/join",
            Self::Leave => "/events/leave",
            Self::Disconnect => "/events/disconnect",
            Self::Heartbeat => "/events/heartbeat",
            Self::Read => "/events/read",
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
        }
    }
}

impl BridgeEvent {
    /// Which kind of event this is.
    pub fn kind(&self) -> EventKind {
        match self {
            Self::Connect(_) => EventKind::Connect,
            Self::Join(_) => EventKind::Join,
            Self::Leave(_) => EventKind::Leave,
            Self::Disconnect(_) => EventKind::Disconnect,
            Self::Heartbeat(_) => EventKind::Heartbeat,
            Self::Read(_) => EventKind::Read,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_does_not_show_in_debug_output() {
        let event = BridgeEvent::Connect(Connect { token: "secret".into() });
        assert!(!format!("{event:?}").contains("secret"));
    }
}

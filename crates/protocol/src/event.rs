//! What a bridge tells the app: one event for each thing that happens on a socket.

use serde::{Deserialize, Serialize};

use crate::{EntryId, NodeId, RoomId, UserId, client::Profile};

/// An event, as the body of a call. The kind stands in the body as well as in the path and in a header,
/// because the signature covers only the body: a call signed for one path must not work on another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum BridgeEvent {
    /// A client wants to connect.
    Connect(Connect),
    /// A connected client wants to enter a room.
    Join(Join),
    /// A member leaves for good.
    Leave(Membership),
    /// A member's connection was lost.
    Disconnect(Membership),
    /// A bridge node is there, or says goodbye.
    Heartbeat(Heartbeat),
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
    /// The bridge that holds the connection.
    pub node_id: NodeId,
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
    /// Whether the node had a lease. If not, and it had one before, all its connections were taken for lost.
    pub held: bool,
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

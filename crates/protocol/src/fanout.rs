//! Events that a script publishes to a room's channel and bridges send to the room's sockets.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{EntryId, NodeId, RoomId};

/// The Redis channel that carries a room's events.
pub fn channel(room: &RoomId) -> String {
    format!("{CHANNEL_PREFIX}{room}")
}

/// The common prefix of all such channels.
pub const CHANNEL_PREFIX: &str = "rollcall:events:";

/// The Redis channel on which a bridge node hears that the app publishes to the Redis where the node listens.
///
/// The prefix is that of rooms' channels, so that the node learns at its start whether Redis lets it subscribe to rooms.
/// The tab keeps the channel apart from those of rooms, whose ids hold no control characters.
pub fn node_channel(node: &NodeId) -> String {
    format!("{CHANNEL_PREFIX}\t{node}")
}

/// One event on its way to the sockets in a room.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// The event's name, `room:started` and so on.
    pub event: String,
    /// The session that `seq` counts in.
    pub epoch: u64,
    /// Rises by one with every event of a session.
    pub seq: u64,
    /// The only connection that does not get the event, because its ack holds the same news.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub except: Option<EntryId>,
    /// The only connection that gets the event, whatever `seq`, because the event concerns that connection alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<EntryId>,
    /// Whether a bridge closes the sockets after the event.
    #[serde(default)]
    pub closes: bool,
    /// The payload, unchanged. The payload holds `epoch` and `seq` too.
    pub data: Box<RawValue>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_room_has_the_channel_of_a_node() {
        let channel = node_channel(&NodeId::new("n").unwrap());
        assert!(channel.strip_prefix(CHANNEL_PREFIX).unwrap().parse::<RoomId>().is_err());
    }
}

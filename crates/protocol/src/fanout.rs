//! What a script publishes to a room's channel, and bridges hand to the sockets in it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{EntryId, RoomId};

/// The Redis channel that carries a room's events.
pub fn channel(room: &RoomId) -> String {
    format!("{CHANNEL_PREFIX}{room}")
}

/// What all such channels begin with.
pub const CHANNEL_PREFIX: &str = "rollcall:events:";

/// One event on its way to the sockets in a room.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// The event's name, `room:started` and so on.
    pub event: String,
    /// Names the session that `seq` counts in.
    pub epoch: u64,
    /// Rises by one with each event of a session.
    pub seq: u64,
    /// The one connection that does not get it: it has learned the same from its ack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub except: Option<EntryId>,
    /// The one connection that gets it, whatever its place in the numbering: it is about that connection alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<EntryId>,
    /// Whether the sockets that get it are closed after it.
    #[serde(default)]
    pub closes: bool,
    /// The payload, passed on as it is. It holds `epoch` and `seq` too.
    pub data: Box<RawValue>,
}

//! Events that a script publishes to a room's channel and bridges send to the room's sockets.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::EntryId;

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
    /// The document of which the event tells. Only the connections that have it open get the event, whatever `seq`,
    /// because documents count their updates themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<u64>,
    /// Whether a bridge closes the sockets after the event.
    #[serde(default)]
    pub closes: bool,
    /// The payload, unchanged. The payload of an event that counts holds `epoch` and `seq` too.
    pub data: Box<RawValue>,
}

//! The shard of a room.

use crate::RoomId;

/// The shard of a room among so many. Only the id decides, so all instances of the app and all bridges agree.
pub fn shard_of(room: &RoomId, shards: u64) -> u64 {
    u64::from(crc32fast::hash(room.as_str().as_bytes())) % shards
}

//! The memory of rooms in Redis, by kind of key.

use std::collections::BTreeMap;

use anyhow::Result;
use rollcall_protocol::Keyspace;
use rollcall_rooms::shard::Layout;

use super::{
    names,
    nodes::{Node, node_of},
    timetable::RoomNo,
};

/// The kinds of keys of a room.
const KINDS: [&str; 10] =
    ["room", "members", "entries", "order", "grace", "nodes", "rate", "closed", "stays", "attendees"];

/// The memory of some rooms.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct RoomMemory {
    /// Bytes by kind of key.
    pub bytes: BTreeMap<&'static str, u64>,
    /// How many members the rooms have.
    pub members: u64,
    /// How many users their attendance has.
    pub attendees: u64,
}

impl RoomMemory {
    /// Reads it.
    pub async fn read(nodes: &[Node], shards: u64, rooms: impl IntoIterator<Item = RoomNo>) -> Result<Self> {
        let keyspace = Keyspace::default();
        let mut memory = Self::default();
        for room in rooms {
            let room = names::room(room)?;
            let shard = Layout::from(shards).shard_of(&room);
            let mut redis = nodes[node_of(shard, nodes.len())].connection.clone();
            for kind in KINDS {
                let key = keyspace.key(shard, format_args!("{kind}:{room}"));
                let usage: Option<u64> = redis::cmd("MEMORY")
                    .arg("USAGE")
                    .arg(&key)
                    .arg("SAMPLES")
                    .arg(0)
                    .query_async(&mut redis)
                    .await?;
                *memory.bytes.entry(kind).or_default() += usage.unwrap_or_default();
                match kind {
                    "members" => memory.members += count_fields(&mut redis, &key).await?,
                    "stays" => memory.attendees += count_fields(&mut redis, &key).await?,
                    _ => {}
                }
            }
        }
        Ok(memory)
    }

    /// The bytes of some kinds.
    pub fn sum(&self, kinds: &[&str]) -> u64 {
        kinds.iter().filter_map(|kind| self.bytes.get(kind)).sum()
    }
}

async fn count_fields(redis: &mut redis::aio::MultiplexedConnection, key: &str) -> Result<u64> {
    Ok(redis::cmd("HLEN").arg(key).query_async(redis).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_summed_up() {
        let bytes = BTreeMap::from([("stays", 7), ("attendees", 5), ("room", 100)]);
        let memory = RoomMemory { bytes, members: 1, attendees: 1 };
        assert_eq!(memory.sum(&["stays", "attendees", "rate"]), 12);
    }
}

//! Shards: the unit of atomicity and of sweeps.

use rollcall_protocol::{Keyspace, RoomId};

/// The shard of a room. Only the id decides, so all instances agree.
pub fn of(room: &RoomId, shards: u64) -> u64 {
    u64::from(crc32fast::hash(room.as_str().as_bytes())) % shards
}

/// The key of a shard's deadlines, from which scripts derive all other keys of the shard, and the channels.
pub fn deadlines_key(keyspace: &Keyspace, shard: u64) -> String {
    keyspace.key(shard, "deadlines")
}

/// The key that locks a room's definition during a change.
pub(crate) fn revising_key(keyspace: &Keyspace, shard: u64, room: &RoomId) -> String {
    keyspace.key(shard, format_args!("revising:{room}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_spread_over_all_shards() {
        let mut rooms_in = [0; 16];
        for n in 0..1600 {
            rooms_in[of(&RoomId::new(format!("group-{n}")).unwrap(), 16) as usize] += 1;
        }
        assert!(rooms_in.iter().all(|&rooms| rooms > 50), "{rooms_in:?}");
    }

    #[test]
    fn a_shard_never_changes_between_releases() {
        assert_eq!(of(&RoomId::new("algebra").unwrap(), 16), 6);
        assert_eq!(deadlines_key(&Keyspace::default(), 6), "rollcall:{6}:deadlines");
    }
}

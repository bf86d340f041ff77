//! How many are in which room.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_protocol::{
    ErrorCode, Refusal, RoomId,
    lobby::{self, RoomCount, RoomCounts},
    shard::shard_of,
};
use serde::{Deserialize, Serialize};

use super::Rooms;
use crate::{Error, redis::Redis, script};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CountsCall<'a> {
    room_ids: BTreeSet<&'a str>,
}

#[derive(Deserialize)]
struct ShardCounts {
    rooms: Vec<RoomCount>,
    now: u64,
}

impl<R: Redis> Rooms<R> {
    /// Counts the members of rooms. Rooms that are not live, or whose sessions do without the lobby, have none.
    ///
    /// Refuses with `MALFORMED` if there are too many rooms.
    pub async fn counts(&self, ids: &[RoomId]) -> Result<RoomCounts, Error> {
        lobby::check_rooms(ids).map_err(|error| Refusal::because(ErrorCode::Malformed, error.to_string()))?;
        let (mut found, mut now) = (BTreeMap::new(), None);
        for (shard, room_ids) in self.group_by_shard(ids).await? {
            let counts: ShardCounts = self.run(&script::COUNTS, shard, &CountsCall { room_ids }).await?;
            now = now.or(Some(counts.now));
            found.extend(counts.rooms.into_iter().map(|room| (room.id.clone(), room)));
        }
        let describe = |id: &RoomId| match found.get(id) {
            Some(room) => RoomCount { id: id.clone(), ..*room },
            None => RoomCount { id: id.clone(), count: 0, end_at: None },
        };
        Ok(RoomCounts { rooms: ids.iter().map(describe).collect(), now })
    }

    /// All shards in which the rooms may lie, each with these rooms.
    async fn group_by_shard<'a>(&self, ids: &'a [RoomId]) -> Result<BTreeMap<u64, BTreeSet<&'a str>>, Error> {
        let mut by_shard: BTreeMap<u64, BTreeSet<&str>> = BTreeMap::new();
        if ids.is_empty() {
            return Ok(by_shard);
        }
        let numbers: BTreeSet<u64> = self.layout.numbers().chain([self.count_shards().await?]).collect();
        for id in ids {
            for &shards in &numbers {
                by_shard.entry(shard_of(id, shards)).or_default().insert(id.as_str());
            }
        }
        Ok(by_shard)
    }
}

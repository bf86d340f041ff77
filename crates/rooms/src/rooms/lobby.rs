//! How many are in which room.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use futures_util::future::{LocalBoxFuture, join_all};
use rollcall_protocol::{
    ErrorCode, Refusal, RoomId,
    lobby::{self, RoomCount, RoomCounts},
    shard::shard_of,
};
use serde::{Deserialize, Serialize};

use super::Rooms;
use crate::{Error, redis::Redis, script};

/// The calls of the shards.
type Work<'a> = LocalBoxFuture<'a, Result<(), Error>>;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CountsCall<'a> {
    room_ids: &'a BTreeSet<&'a str>,
}

#[derive(Deserialize)]
struct ShardCounts {
    rooms: Vec<RoomCount>,
    now: u64,
}

/// What the shards have answered so far.
#[derive(Default)]
struct Tally<'a> {
    /// For each room, how many shards have not answered in which the room may lie.
    unanswered: BTreeMap<&'a str, usize>,
    found: BTreeMap<RoomId, RoomCount>,
    now: Option<u64>,
}

impl<'a> Tally<'a> {
    fn begin(&mut self, by_shard: &BTreeMap<u64, BTreeSet<&'a str>>) {
        for &id in by_shard.values().flatten() {
            *self.unanswered.entry(id).or_default() += 1;
        }
    }

    fn add(&mut self, asked: &BTreeSet<&'a str>, ShardCounts { rooms, now }: ShardCounts) {
        for id in asked {
            self.unanswered.entry(id).and_modify(|shards| *shards -= 1);
        }
        self.found.extend(rooms.into_iter().map(|room| (room.id.clone(), room)));
        self.now.get_or_insert(now);
    }

    /// The count of a room, unless a shard that has not answered may have it.
    fn count_of(&self, id: &RoomId) -> Option<RoomCount> {
        match self.found.get(id) {
            Some(room) => Some(RoomCount { id: id.clone(), ..*room }),
            None if self.unanswered.get(id.as_str()) == Some(&0) => {
                Some(RoomCount { id: id.clone(), count: 0, end_at: None })
            }
            None => None,
        }
    }
}

impl<R: Redis> Rooms<R> {
    /// Counts the members of rooms. Rooms that are not live, or whose sessions do without the lobby, have none. `limit` does
    /// the work within the caller's time limit. Rooms whose shards have not answered by then are left out, so that a shard
    /// that is away hides no other.
    ///
    /// Refuses with `MALFORMED` if there are too many rooms.
    pub async fn counts(
        &self,
        ids: &[RoomId],
        limit: impl AsyncFnOnce(Work<'_>) -> Result<(), Error>,
    ) -> Result<RoomCounts, Error> {
        lobby::check_rooms(ids).map_err(|error| Refusal::because(ErrorCode::Malformed, error.to_string()))?;
        let tally = RefCell::default();
        let outcome = limit(Box::pin(self.count_all(ids, &tally))).await;
        let tally = tally.into_inner();
        if tally.now.is_none() {
            outcome?;
        }
        Ok(RoomCounts { rooms: ids.iter().filter_map(|id| tally.count_of(id)).collect(), now: tally.now })
    }

    /// Asks all shards at once. The question how many there are comes first, and alone connects to Redis.
    async fn count_all<'a>(&self, ids: &'a [RoomId], tally: &RefCell<Tally<'a>>) -> Result<(), Error> {
        let by_shard = self.group_by_shard(ids).await?;
        tally.borrow_mut().begin(&by_shard);
        let count = async |(&shard, room_ids): (&u64, &BTreeSet<&'a str>)| {
            let counts = self.run(&script::COUNTS, shard, &CountsCall { room_ids }).await?;
            tally.borrow_mut().add(room_ids, counts);
            Ok(())
        };
        join_all(by_shard.iter().map(count)).await.into_iter().collect()
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

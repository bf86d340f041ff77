//! The time of scripts: Redis's own, in milliseconds.

use std::time::Duration;

use rollcall_rooms::Rooms;
use rollcall_tests::redis_server::RedisPort;
use tokio::time::sleep;

use crate::fixture::{Fixture, heartbeat};

#[tokio::test]
async fn scripts_use_the_milliseconds_of_the_clock_of_redis() {
    let room = Fixture::start().await;
    let rooms = Rooms::new(RedisPort(room.redis.clone()), &room.settings).unwrap();
    // Late in a second, a millisecond that is a little too long shows.
    sleep(Duration::from_millis(900_u64.saturating_sub(room.redis_time().await % 1000))).await;
    // Each in a shard of its own, because numbers of leases are unique in a shard.
    for shard in 0..20 {
        let before = room.redis_time().await;
        let since = rooms.heartbeat(shard, &heartbeat("node-1")).await.unwrap().lease.since;
        let after = room.redis_time().await;
        assert!((before..=after).contains(&since), "{since} is not within {before}..={after}");
    }
}

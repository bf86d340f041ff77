//! Expiry of keys that no script deletes.

use crate::fixture::{END, Fixture};

#[tokio::test]
async fn every_key_of_a_live_room_expires_some_time_after_the_end() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.join("ben/1").await.unwrap();
    room.disconnect("ben/1").await;
    let keys = room.keys().await;
    assert_eq!(keys.len(), 15, "{keys:?}");
    assert_every_key_expires(&mut room).await;
}

#[tokio::test]
async fn the_keys_of_a_room_that_was_empty_for_a_while_expire_as_well() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.leave("kim/1").await;
    room.join("ben/1").await.unwrap();
    room.join("ann/1").await.unwrap();
    for user in ["ben", "ann"] {
        room.disconnect(&format!("{user}/1")).await;
    }
    room.join("ben/2").await.unwrap();
    let keys = room.keys().await;
    assert!(keys.iter().any(|key| key.contains(":nodes:")), "{keys:?}");
    assert_every_key_expires(&mut room).await;
}

async fn assert_every_key_expires(room: &mut Fixture) {
    for key in room.keys().await {
        let expires: i64 = redis::cmd("PEXPIRETIME").arg(&key).query_async(&mut room.redis).await.unwrap();
        match key.split(':').nth(2).unwrap() {
            // Two per shard. They must outlive the session: the next one needs a higher epoch, and grace periods the sum
            // of all pauses.
            "epoch" | "clock" => assert_eq!(expires, -1),
            "attendees" | "stays" | "closed" | "leases" | "leased" | "node" => assert!(expires > 0),
            _ => assert_eq!(expires, (END + room.settings.retention_ms) as i64, "{key}"),
        }
    }
}

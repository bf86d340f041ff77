//! Expiry of keys that no script deletes.

use crate::fixture::{END, Fixture, MINUTE, heartbeat};

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

#[tokio::test]
async fn the_deadlines_and_the_list_of_a_shard_live_as_long_as_its_last_session() {
    let mut room = Fixture::start().await;
    room.settings.shards = 1.into();
    let last = END + 600 * MINUTE;
    for (id, end_at) in [("algebra", END), ("botany", last), ("chemistry", END)] {
        room.store_end(end_at);
        room.in_room(id).join("kim/1").await.unwrap();
    }
    for key in ["deadlines", "rooms"] {
        assert_eq!(room.expiry(key).await, (last + room.settings.retention_ms) as i64, "{key}");
    }
}

/// Does something, and asserts that keys of the shard expire as many milliseconds later by Redis's own clock.
async fn assert_sets_expiry(room: &Fixture, keys: &[&str], lifetime_ms: u64, act: impl AsyncFnOnce()) {
    let before = room.redis_time().await;
    act().await;
    let after = room.redis_time().await;
    for key in keys {
        let expires = u64::try_from(room.expiry(key).await).unwrap();
        let expected = before + lifetime_ms..=after + lifetime_ms;
        assert!(expected.contains(&expires), "{key}: {expires} is not within {expected:?}");
    }
}

#[tokio::test]
async fn leases_and_rooms_of_nodes_outlive_the_lease_by_as_much_as_rooms_outlive_the_end() {
    let room = Fixture::start().await;
    let keys = ["leases", "leased", "node:node-1"];
    let lifetime_ms = room.settings.lease_ms + room.settings.retention_ms;
    assert_sets_expiry(&room, &keys, lifetime_ms, async || {
        room.join("kim/1").await.unwrap();
    })
    .await;
    for key in keys {
        let mut expire = redis::cmd("PEXPIRE");
        expire.arg(room.shard_key(key)).arg(10 * MINUTE);
        let () = expire.query_async(&mut room.redis.clone()).await.unwrap();
    }
    assert_sets_expiry(&room, &keys, lifetime_ms, async || {
        room.rooms().heartbeat(room.shard(), &heartbeat("node-1")).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn closed_entries_are_kept_for_as_long_as_the_settings_say_after_the_last_of_them() {
    let room = Fixture::start().await;
    for entry in ["kim/1", "kim/2"] {
        room.join(entry).await.unwrap();
        assert_sets_expiry(&room, &["closed:algebra"], room.settings.closed_entry_ms, async || {
            room.leave(entry).await;
        })
        .await;
    }
}

#[tokio::test]
async fn each_closed_entry_is_kept_for_as_long_as_the_settings_say() {
    let mut room = Fixture::start().await;
    let closed_entry_ms = room.settings.closed_entry_ms;
    room.join("kim/1").await.unwrap();
    room.leave("kim/1").await;
    for (ms, is_kept) in [(closed_entry_ms - 1, true), (closed_entry_ms, false)] {
        // Redis forgets old entries while it closes another one.
        room.at(ms).disconnect(&format!("kim/{ms}")).await;
        let key = room.shard_key("closed:algebra");
        let score: Option<u64> =
            redis::cmd("ZSCORE").arg(key).arg("kim/1").query_async(&mut room.redis).await.unwrap();
        assert_eq!(score.is_some(), is_kept, "after {ms} ms");
    }
}

use rollcall_protocol::{
    ErrorCode,
    definition::{Duplicates, SessionDefinition},
};

use crate::fixture::{Fixture, START, definition};

const LEASE_MS: u64 = 15_000;

async fn with_lease() -> Fixture {
    let mut room = Fixture::start().await;
    room.settings.lease_ms = LEASE_MS;
    room
}

#[tokio::test]
async fn members_of_a_dead_bridge_are_lost_and_removed_after_the_grace_period() {
    let mut room = with_lease().await;
    room.join("lea/1").await.unwrap();
    room.join("kim/1").await.unwrap();
    room.events().await;

    assert_eq!(room.sweep().await.due_in_ms, Some(LEASE_MS / 3), "often enough to see that the shard runs");
    room.run_until(LEASE_MS - 1).await.sweep().await;
    assert_eq!(room.event_names().await, [""; 0]);

    room.run_until(LEASE_MS).await.sweep().await;
    assert_eq!(room.event_names().await, ["room:participantReconnecting"; 2]);
    room.run_until(LEASE_MS + 30_000).await.sweep().await;
    let events = room.events().await;
    assert_eq!(events[0].data["change"]["type"], "graceExpired");
    assert_eq!(events[0].data["count"], 0, "zero ghosts");
}

#[tokio::test]
async fn a_bridge_that_sends_heartbeats_keeps_its_connections() {
    let mut room = with_lease().await;
    room.join("kim/1").await.unwrap();
    let since = room.heartbeat(false).await;
    for beat in 1..=20 {
        assert_eq!(room.at(beat * 5_000).heartbeat(false).await, since);
        room.sweep().await;
    }
    assert_eq!(room.join("kim/2").await.unwrap_err(), ErrorCode::AlreadyJoined);
    assert_eq!(room.event_names().await, ["room:started"]);
}

#[tokio::test]
async fn members_of_a_bridge_that_is_gone_come_back_through_another_even_if_nobody_swept() {
    let mut room = with_lease().await;
    let before = room.join("kim/1").await.unwrap();
    room.events().await;
    let after = room.run_until(LEASE_MS).await.join("kim/2").await.unwrap();
    assert!(after.recovered);
    assert_eq!(after.epoch, before.epoch);
    assert_eq!(room.event_names().await, ["room:participantReconnecting", "room:participantReconnected"]);
}

#[tokio::test]
async fn a_bridge_that_stops_loses_its_connections_at_once() {
    let mut room = with_lease().await;
    room.join("kim/1").await.unwrap();
    room.events().await;
    room.at(1).heartbeat(true).await;
    assert_eq!(room.event_names().await, ["room:participantReconnecting"]);
    room.at(2).sweep().await;
    assert_eq!(room.event_names().await, [""; 0]);
}

#[tokio::test]
async fn a_heartbeat_after_a_lost_lease_returns_a_new_start() {
    let mut room = with_lease().await;
    room.join("kim/1").await.unwrap();
    let first = room.at(5_000).heartbeat(false).await;
    room.run_until(60_000).await.sweep().await;
    let second = room.heartbeat(false).await;
    assert!(second > first, "its connections count as lost");
    assert_eq!(room.heartbeat(false).await, second, "also if the first reply is lost");
}

#[tokio::test]
async fn a_heartbeat_does_not_revive_a_lease_that_ran_out_before_anybody_swept() {
    let mut room = with_lease().await;
    room.join("kim/1").await.unwrap();
    room.events().await;
    let first = room.heartbeat(false).await;
    assert!(room.run_until(LEASE_MS).await.heartbeat(false).await > first);
    assert_eq!(room.event_names().await, ["room:participantReconnecting"]);
    assert!(room.join("kim/2").await.unwrap().recovered);
}

#[tokio::test]
async fn a_bridge_of_few_rooms_gets_its_next_lease_with_one_script() {
    let mut room = with_lease().await;
    room.join("kim/1").await.unwrap();
    room.run_until(LEASE_MS).await;
    let count = room.count(async || {
        room.heartbeat(false).await;
    });
    assert_eq!(count.await.0, 1);
    assert!(room.join("kim/2").await.unwrap().recovered);
}

#[tokio::test]
async fn a_lease_that_ran_out_does_not_touch_an_entry_through_another_bridge() {
    let mut room = with_lease().await;
    room.join("kim/1").await.unwrap();
    room.disconnect("kim/1").await;
    room.through("node-2").join("kim/2").await.unwrap();
    room.events().await;
    room.run_until(LEASE_MS - 1).await;
    room.through("node-2").heartbeat(false).await;
    room.run_until(LEASE_MS).await.sweep().await;
    assert_eq!(room.event_names().await, [""; 0]);
}

#[tokio::test]
async fn connections_of_a_bridge_whose_lease_is_missing_are_lost_now() {
    for is_back in [false, true] {
        let mut room = with_lease().await;
        room.join("kim/1").await.unwrap();
        room.events().await;
        let mut forget = redis::cmd("DEL");
        forget.arg(room.shard_key("leases")).arg(room.shard_key("leased"));
        let () = forget.query_async(&mut room.redis).await.unwrap();
        room.at(1_000);
        if is_back {
            room.heartbeat(false).await;
        }
        room.read(&[]).await;
        let events = room.events().await;
        assert_eq!(events[0].name, "room:participantReconnecting");
        assert_eq!(events[0].data["graceUntil"], START + 31_000);
    }
}

/// Adds rooms to those of a node that hold entries of the node no longer, because Redis expired them.
async fn add_expired_rooms(room: &Fixture, count: usize) {
    let mut add = redis::cmd("SADD");
    add.arg(room.shard_key("node:node-1")).arg((0..count).map(|n| format!("gone-{n}")).collect::<Vec<_>>());
    let () = add.query_async(&mut room.redis.clone()).await.unwrap();
}

async fn count_rooms_of_node(room: &Fixture) -> usize {
    let key = room.shard_key("node:node-1");
    redis::cmd("SCARD").arg(key).query_async(&mut room.redis.clone()).await.unwrap()
}

#[tokio::test]
async fn a_lease_that_ends_a_millisecond_later_has_not_ended() {
    let mut room = with_lease().await;
    room.through("node-1").join("kim/1").await.unwrap();
    room.at(1).through("node-2").join("ben/1").await.unwrap();
    room.events().await;
    room.through("node-3").run_until(LEASE_MS).await;
    assert!(!room.sweep().await.more);
    let events = room.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].data["userId"], "kim");
}

#[tokio::test]
async fn a_node_that_a_room_counts_and_that_has_no_entry_is_forgotten() {
    let room = with_lease().await;
    room.join("kim/1").await.unwrap();
    let (nodes, rooms) = (room.shard_key("nodes:algebra"), room.shard_key("node:gone"));
    let redis = &mut room.redis.clone();
    let () = redis::cmd("HSET").arg(&nodes).arg("gone").arg(1).query_async(redis).await.unwrap();
    let () = redis::cmd("SADD").arg(&rooms).arg("algebra").query_async(redis).await.unwrap();
    assert!(room.read(&["kim/1"]).await.gone.is_empty());
    let counted: Vec<String> = redis::cmd("HKEYS").arg(&nodes).query_async(redis).await.unwrap();
    assert_eq!(counted, ["node-1"]);
    let has_rooms: bool = redis::cmd("EXISTS").arg(&rooms).query_async(redis).await.unwrap();
    assert!(!has_rooms);
}

#[tokio::test]
async fn rooms_that_have_expired_do_not_keep_a_node() {
    let mut room = with_lease().await;
    room.join("kim/1").await.unwrap();
    add_expired_rooms(&room, 2).await;
    room.run_until(LEASE_MS).await;
    assert_eq!(room.sweep().await.settled, 3);
    assert_eq!(count_rooms_of_node(&room).await, 0);
    assert_eq!(room.sweep().await.settled, 0);
}

#[tokio::test]
async fn a_bridge_of_thousands_of_rooms_that_comes_back_late_gets_a_new_lease_after_all_of_them() {
    for joins_first in [false, true] {
        let mut room = with_lease().await;
        room.settings.shards = 1.into();
        room.join("kim/1").await.unwrap();
        let first = room.heartbeat(false).await;
        add_expired_rooms(&room, 2_500).await;
        room.events().await;
        room.run_until(LEASE_MS).await;
        if joins_first {
            room.in_room("botany").join("ben/1").await.unwrap();
        }
        assert!(room.heartbeat(false).await > first);
        assert_eq!(room.event_names().await, ["room:participantReconnecting"]);
        assert_eq!(count_rooms_of_node(&room).await, usize::from(joins_first));
    }
}

#[tokio::test]
async fn a_bridge_that_stops_leaves_no_room_behind() {
    let mut room = with_lease().await;
    room.settings.shards = 1.into();
    for n in 0..150 {
        room.in_room(&format!("room-{n}")).join(&format!("user-{n}/1")).await.unwrap();
    }
    assert_eq!(room.at(1).heartbeat(true).await, 0);
    assert_eq!(count_rooms_of_node(&room).await, 0);
    assert_eq!(room.sweep().await.settled, 0);
}

#[tokio::test]
async fn a_member_with_connections_through_two_dead_bridges_is_lost_when_the_later_lease_ends() {
    let mut room = with_lease().await;
    room.define(SessionDefinition { duplicates: Duplicates::Share, ..definition() }).await;
    room.through("node-1").join("kim/1").await.unwrap();
    room.at(4_000).through("node-2").join("kim/2").await.unwrap();
    room.events().await;
    room.run_until(4_000 + LEASE_MS).await.read(&[]).await;
    let events = room.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].data["graceUntil"], START + 4_000 + LEASE_MS + 30_000);
}

#[tokio::test]
async fn a_bridge_that_stops_after_the_end_of_its_lease_prolongs_nothing() {
    let mut room = with_lease().await;
    room.join("kim/1").await.unwrap();
    room.events().await;
    room.run_until(LEASE_MS + 2_000).await.heartbeat(true).await;
    let until = room.events().await[0].data["graceUntil"].as_u64();
    assert_eq!(until, Some(START + LEASE_MS + 30_000));
}

#[tokio::test]
async fn a_large_bridge_expires_in_bounded_batches() {
    let mut room = with_lease().await;
    room.settings.shards = 1.into();
    for n in 0..150 {
        room.in_room(&format!("room-{n}")).join(&format!("user-{n}/1")).await.unwrap();
    }
    room.run_until(LEASE_MS + 5).await;
    let swept = room.sweep().await;
    assert_eq!((swept.settled, swept.late_ms, swept.more), (100, 5, true));
    let swept = room.sweep().await;
    assert_eq!((swept.settled, swept.more), (50, false));
    let first: Vec<(String, u64)> = redis::cmd("ZRANGE")
        .arg("rollcall:{0}:deadlines")
        .arg(&[0, 0])
        .arg("WITHSCORES")
        .query_async(&mut room.redis)
        .await
        .unwrap();
    assert_eq!(first[0].1, START + LEASE_MS + 30_000, "lost when the lease ended, not when it was noticed");
}

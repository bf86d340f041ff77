//! A shard whose scripts could not run for a while, because Redis was frozen or out of reach.

use crate::fixture::{Fixture, MINUTE, START};

const LEASE_MS: u64 = 15_000;
/// The part of a long silence that is no pause.
const CHARGED_MS: u64 = LEASE_MS / 3;
/// Longer than lease and grace period together.
const PAUSE_MS: u64 = 10 * MINUTE;

/// Lea, who is host, and Kim, through two bridges that sent their last heartbeat four seconds apart.
async fn live_room() -> Fixture {
    let mut room = Fixture::start().await;
    room.settings.lease_ms = LEASE_MS;
    room.join("lea/1").await.unwrap();
    room.at(4_000).through("node-2").join("kim/1").await.unwrap();
    room.events().await;
    room
}

#[tokio::test]
async fn members_of_bridges_that_are_still_there_keep_everything() {
    for ask_first in [false, true] {
        let mut room = live_room().await;
        let ends = [("node-1", room.through("node-1").heartbeat(false).await)];
        room.at(4_000 + PAUSE_MS);
        if ask_first {
            room.join("ben/1").await.unwrap();
            room.sweep().await;
        }
        for (node, since) in ends {
            assert_eq!(room.through(node).heartbeat(false).await, since, "the lease has not ended");
        }
        room.at(4_000 + PAUSE_MS + CHARGED_MS).through("node-2").heartbeat(false).await;
        room.sweep().await;
        let names = room.event_names().await;
        assert!(names.iter().all(|name| name == "room:participantsChanged"), "{names:?}");

        let attendance = serde_json::to_value(room.attendance().await).unwrap();
        for user in attendance["attendees"].as_array().unwrap() {
            assert_eq!(user["drops"], 0, "{user}");
            let entered = user["stays"][0]["enteredAt"].as_u64().unwrap();
            assert_eq!(user["presentMs"], START + 4_000 + PAUSE_MS + CHARGED_MS - entered);
        }
        assert_eq!(room.join("zoe/1").await.unwrap().host_id.as_str(), "lea");
    }
}

#[tokio::test]
async fn a_bridge_that_is_gone_is_noticed_a_lease_after_the_shard_runs_again() {
    let mut room = live_room().await;
    room.through("node-1").heartbeat(false).await;
    room.at(4_000 + PAUSE_MS).sweep().await;
    assert_eq!(room.event_names().await, [""; 0]);
    room.run_until(4_000 + PAUSE_MS + LEASE_MS).await.sweep().await;
    assert_eq!(room.event_names().await, ["room:participantReconnecting"; 2]);
    room.run_until(4_000 + PAUSE_MS + LEASE_MS + 30_000).await.sweep().await;
    let events = room.events().await;
    assert_eq!(events[0].data["change"]["type"], "graceExpired");
    assert_eq!(events[0].data["count"], 0, "zero ghosts");
}

#[tokio::test]
async fn calls_that_are_always_far_apart_find_the_end_of_a_lease_too() {
    let mut room = live_room().await;
    for n in 1..=3 {
        room.at(n * PAUSE_MS / 2).read(&[]).await;
    }
    assert_eq!(room.event_names().await, ["room:participantReconnecting"; 2]);
    assert!(room.join("kim/2").await.unwrap().recovered);
}

#[tokio::test]
async fn a_member_who_was_lost_before_the_pause_has_the_rest_of_the_grace_period_after_it() {
    let mut room = live_room().await;
    room.disconnect("kim/1").await;
    let until = room.events().await[0].data["graceUntil"].as_u64().unwrap();
    assert_eq!(until, START + 34_000);
    for _ in 0..2 {
        room.at(4_000 + PAUSE_MS).sweep().await;
    }
    let events = room.events().await;
    assert_eq!((events.len(), events[0].name.as_str()), (1, "room:participantReconnecting"), "once");
    let until = events[0].data["graceUntil"].as_u64().unwrap();
    assert_eq!(until, START + 34_000 + PAUSE_MS - CHARGED_MS);
    room.through("node-1").heartbeat(false).await;
    room.run_until(4_000 + PAUSE_MS + 12_000).await.heartbeat(false).await;
    room.run_until(until - START - 1).await;
    room.sweep().await;
    assert_eq!(room.event_names().await, [""; 0]);
    room.at(until - START).sweep().await;
    assert_eq!(room.events().await[0].data["change"]["type"], "graceExpired");
}

#[tokio::test]
async fn a_pause_delays_neither_the_reminder_nor_the_end() {
    let mut room = live_room().await;
    room.at(55 * MINUTE).sweep().await;
    assert_eq!(room.event_names().await, ["room:reminder"]);
    room.at(60 * MINUTE).sweep().await;
    assert_eq!(room.event_names().await, ["room:ended"]);
    let attendance = serde_json::to_value(room.attendance().await).unwrap();
    assert_eq!(attendance["attendees"][0]["stays"][0]["leftAt"], START + 60 * MINUTE);
}

/// The sum of all pauses of the shard.
async fn read_paused_ms(room: &Fixture) -> Option<String> {
    let mut read = redis::cmd("HGET");
    read.arg(room.shard_key("clock")).arg("pausedMs");
    read.query_async(&mut room.redis.clone()).await.unwrap()
}

#[tokio::test]
async fn a_silence_of_half_a_lease_is_no_pause_and_a_pause_has_whole_milliseconds() {
    let mut room = Fixture::start().await;
    room.settings.lease_ms = 10_000;
    room.join("kim/1").await.unwrap();
    room.at(5_000).heartbeat(false).await;
    assert_eq!(read_paused_ms(&room).await, None);
    room.at(10_001).heartbeat(false).await;
    assert_eq!(read_paused_ms(&room).await.as_deref(), Some("1668"), "all but a third of a lease");
}

#[tokio::test]
async fn a_clock_that_steps_back_is_no_pause() {
    let mut room = live_room().await;
    room.at(4_000).through("node-1").heartbeat(false).await;
    room.at(0).through("node-2").heartbeat(false).await;
    room.sweep().await;
    room.run_until(4_000 + LEASE_MS).await.sweep().await;
    assert_eq!(room.event_names().await, ["room:participantReconnecting"; 2]);
}

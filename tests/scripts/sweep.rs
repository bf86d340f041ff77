use rollcall_protocol::event::NextDue;
use rollcall_rooms::rooms::ShardSweep;

use crate::fixture::{END, Fixture, MINUTE, START, user_ids};

#[tokio::test]
async fn members_whose_grace_period_ran_out_leave() {
    let mut room = Fixture::start().await;
    room.join("lea/1").await.unwrap();
    for name in ["kim/1", "ben/1"] {
        room.join(name).await.unwrap();
        room.disconnect(name).await;
    }
    room.events().await;

    room.at(29_999).sweep().await;
    assert_eq!(room.event_names().await, [""; 0], "not a millisecond early");

    room.at(30_250);
    let due_in_ms = Some(50 * MINUTE - 30_250);
    let next_due = NextDue { as_of: START + 30_250, due_at: Some(START + 50 * MINUTE), is_partial: false };
    let swept = ShardSweep { settled: 1, late_ms: 250, more: false, next_due, due_in_ms };
    assert_eq!(room.sweep().await, swept);
    let events = room.events().await;
    assert_eq!(events.len(), 1, "members who leave together share an event");
    assert_eq!(events[0].data["change"]["type"], "graceExpired");
    assert_eq!(user_ids(&events[0].data["change"]["users"]), ["ben", "kim"]);
    assert_eq!(user_ids(&events[0].data["members"]), ["lea"]);

    assert_eq!(room.sweep().await.settled, 0);
    assert_eq!(room.event_names().await, [""; 0], "a second sweep finds nothing");
}

#[tokio::test]
async fn another_member_becomes_host_when_the_grace_period_of_the_host_ends() {
    let mut room = Fixture::start().await;
    room.join("lea/1").await.unwrap();
    room.at(1).join("kim/1").await.unwrap();
    room.disconnect("lea/1").await;
    room.events().await;
    room.at(30_001).sweep().await;
    assert_eq!(room.event_names().await, ["room:participantsChanged", "room:hostChanged"]);
}

#[tokio::test]
async fn the_reminder_comes_once_ten_minutes_before_the_end() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.events().await;
    room.at(50 * MINUTE - 1).sweep().await;
    assert_eq!(room.event_names().await, [""; 0]);

    room.at(50 * MINUTE).sweep().await;
    let events = room.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].name, "room:reminder");
    assert_eq!(events[0].data["groupId"], "algebra");
    assert_eq!(events[0].data["endAt"], END);
    assert_eq!(events[0].data["remainMs"], 10 * MINUTE);

    room.at(51 * MINUTE).sweep().await;
    room.join("ben/1").await.unwrap();
    assert_eq!(room.event_names().await, ["room:participantsChanged"]);
}

#[tokio::test]
async fn a_call_in_the_millisecond_of_the_reminder_comes_after_the_reminder() {
    let mut room = Fixture::start().await;
    room.join("lea/1").await.unwrap();
    room.events().await;
    room.at(50 * MINUTE).join("kim/1").await.unwrap();
    assert_eq!(room.event_names().await, ["room:reminder", "room:participantsChanged"]);
}

#[tokio::test]
async fn a_session_that_starts_within_the_lead_has_no_reminder() {
    let mut room = Fixture::start().await;
    room.at(50 * MINUTE).join("kim/1").await.unwrap();
    room.at(55 * MINUTE).sweep().await;
    assert_eq!(room.event_names().await, ["room:started"]);
}

#[tokio::test]
async fn every_call_settles_the_room_first() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.join("ben/1").await.unwrap();
    room.disconnect("ben/1").await;
    room.events().await;
    room.at(50 * MINUTE).leave("kim/1").await;
    let names = room.event_names().await;
    assert_eq!(names, ["room:participantsChanged", "room:reminder", "room:participantsChanged"]);
}

#[tokio::test]
async fn a_sweep_shares_its_limit_between_due_rooms_and_rooms_of_nodes() {
    let mut room = Fixture::start().await;
    room.settings.shards = 1.into();
    room.settings.lease_ms = 15_000;
    for n in 0..60 {
        room.in_room(&format!("room-{n}")).join("kim/1").await.unwrap();
    }
    let mut add = redis::cmd("ZADD");
    add.arg(room.shard_key("deadlines"));
    for n in 0..60 {
        add.arg(START).arg(format!("gone-{n}"));
    }
    let () = add.query_async(&mut room.redis).await.unwrap();
    room.run_until(15_000).await;
    let swept = room.sweep().await;
    assert_eq!((swept.settled, swept.more), (100, true));
    let swept = room.sweep().await;
    assert_eq!((swept.settled, swept.more), (20, false));
}

#[tokio::test]
async fn a_sweep_shares_its_limit_between_nodes() {
    let mut room = Fixture::start().await;
    room.settings.shards = 1.into();
    room.settings.lease_ms = 15_000;
    // The rooms, not their members, are too many.
    room.settings.slice_members = 1000;
    for node in ["node-1", "node-2"] {
        for n in 0..60 {
            room.through(node).in_room(&format!("{node}-{n}")).join("kim/1").await.unwrap();
        }
    }
    room.run_until(15_000).await;
    let swept = room.sweep().await;
    assert_eq!((swept.settled, swept.more, swept.due_in_ms), (100, true, Some(0)));
    let swept = room.sweep().await;
    assert_eq!((swept.settled, swept.more), (20, false));
}

#[tokio::test]
async fn a_sweep_stops_after_the_room_that_fills_the_slice() {
    let mut room = Fixture::start().await;
    room.settings.shards = 1.into();
    for id in ["a", "b", "c"] {
        room.home = id.parse().unwrap();
        for entry in ["kim/1", "ben/1"] {
            room.in_room(id).join(entry).await.unwrap();
            room.disconnect(entry).await;
        }
    }
    room.settings.slice_members = 3;
    room.at(30_000);
    let swept = room.sweep().await;
    assert_eq!((swept.settled, swept.more), (2, true));
    let swept = room.sweep().await;
    assert_eq!((swept.settled, swept.more), (1, false));
}

#[tokio::test]
async fn a_sweep_leaves_nothing_of_a_room_whose_keys_have_expired() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.delete_as_if_expired().await;
    room.at(50 * MINUTE).sweep().await;
    let keys = room.keys().await;
    assert!(!keys.iter().any(|key| key.ends_with(":rooms") || key.ends_with(":deadlines")), "{keys:?}");
}

#[tokio::test]
async fn sweeps_that_run_at_once_do_nothing_twice() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.disconnect("kim/1").await;
    room.events().await;
    room.at(30_000);
    let sweeps = futures_util::future::join_all((0..20).map(|_| room.sweep())).await;
    assert_eq!(sweeps.iter().map(|swept| swept.settled).sum::<u32>(), 1);
    assert_eq!(room.event_names().await, ["room:participantsChanged"]);
}

#[tokio::test]
async fn a_sweep_takes_a_bounded_batch_and_says_that_more_is_due() {
    let mut room = Fixture::start().await;
    let shard = format!("rollcall:{{{}}}:deadlines", room.shard());
    let mut add = redis::cmd("ZADD");
    add.arg(shard);
    for n in 0..150 {
        add.arg(START - 1000).arg(format!("gone-{n}"));
    }
    let () = add.query_async(&mut room.redis).await.unwrap();
    let swept = room.sweep().await;
    assert_eq!((swept.settled, swept.late_ms, swept.more), (100, 1000, true));
    let swept = room.sweep().await;
    assert_eq!((swept.settled, swept.more, swept.due_in_ms), (50, false, None));
}

//! Rooms that are settled in slices: each script does a bounded part of the work, and nobody sees a room in between.

use std::collections::HashMap;

use rollcall_protocol::{ErrorCode, attendance::Ending, definition::SessionDefinition};
use rollcall_rooms::Error;
use serde_json::Value;

use crate::fixture::{END, Event, Fixture, MINUTE, START, definition, heartbeat, user_ids};

const SLICE: u64 = 3;
const MEMBERS: u64 = 7;
const LEASE_MS: u64 = 15_000;
const ALL_DAY_MS: u64 = 24 * 60 * MINUTE;

/// A room with members through one bridge: `m0/1` to `m6/1`.
async fn crowd(members: u64) -> Fixture {
    crowd_with(members, LEASE_MS).await
}

async fn crowd_with(members: u64, lease_ms: u64) -> Fixture {
    let mut room = Fixture::start().await;
    (room.settings.lease_ms, room.settings.slice_members) = (lease_ms, SLICE);
    for member in 0..members {
        room.join(&format!("m{member}/1")).await.unwrap();
    }
    room.events().await;
    room
}

fn users(members: std::ops::Range<u64>) -> Vec<String> {
    members.map(|member| format!("m{member}")).collect()
}

/// The users whom events of this name are about, in order.
fn users_of(events: &[Event], name: &str) -> Vec<String> {
    let data = events.iter().filter(|event| event.name == name).map(|event| &event.data);
    data.flat_map(|data| match data.get("change") {
        Some(change) => user_ids(&change["users"]),
        None => vec![data["userId"].as_str().unwrap().to_owned()],
    })
    .collect()
}

/// The number of users whom each change of the member list names.
fn count_named(events: &[Event]) -> Vec<usize> {
    events.iter().filter_map(|event| event.data["change"]["users"].as_array().map(Vec::len)).collect()
}

/// Sweeps until nothing is due. Returns the number of sweeps.
async fn sweep_all(room: &Fixture) -> u64 {
    let mut sweeps = 1;
    while room.sweep().await.more {
        sweeps += 1;
    }
    sweeps
}

/// The number of commands that Redis has run so far.
async fn commands(room: &Fixture) -> u64 {
    let stats: String =
        redis::cmd("INFO").arg("commandstats").query_async(&mut room.redis.clone()).await.unwrap();
    let calls = |line: &str| line.split_once("calls=")?.1.split(',').next()?.parse::<u64>().ok();
    stats.lines().filter_map(calls).sum()
}

/// Sweeps until nothing is due. Returns the most commands of one sweep.
async fn longest_sweep(room: &Fixture) -> u64 {
    let mut longest = 0;
    loop {
        let before = commands(room).await;
        let more = room.sweep().await.more;
        longest = longest.max(commands(room).await - before);
        if !more {
            return longest;
        }
    }
}

#[tokio::test]
async fn no_script_works_longer_in_a_larger_room() {
    let mut longest = Vec::new();
    for members in [4 * SLICE, 12 * SLICE] {
        let mut room = crowd(members).await;
        let lease = longest_sweep(room.run_until(LEASE_MS).await).await;
        let grace = longest_sweep(room.run_until(LEASE_MS + 30_000).await).await;
        let end = longest_sweep(crowd_with(members, ALL_DAY_MS).await.at(END - START)).await;
        longest.push([lease, grace, end]);
    }
    assert_eq!(longest[0], longest[1], "commands when a lease, grace periods and the session end");
}

#[tokio::test]
async fn each_member_of_a_dead_bridge_is_lost_once() {
    let mut room = crowd(MEMBERS).await;
    assert_eq!(sweep_all(room.run_until(LEASE_MS).await).await, 3);
    assert_eq!(users_of(&room.events().await, "room:participantReconnecting"), users(0..MEMBERS));

    assert_eq!(sweep_all(room.run_until(LEASE_MS + 30_000).await).await, 3);
    let events = room.events().await;
    assert_eq!(users_of(&events, "room:participantsChanged"), users(0..MEMBERS));
    assert_eq!(count_named(&events), [3, 3, 1], "an event names few users");
    assert_eq!(events.last().unwrap().data["count"], 0, "zero ghosts");
}

#[tokio::test]
async fn what_a_slice_leaves_is_as_overdue_as_it_was() {
    let mut room = crowd(MEMBERS).await;
    for _ in 0..2 {
        assert_eq!(room.run_until(LEASE_MS).await.sweep().await.late_ms, 0);
    }
    let mut room = crowd_with(MEMBERS, ALL_DAY_MS).await;
    for member in 0..MEMBERS {
        room.disconnect(&format!("m{member}/1")).await;
    }
    for _ in 0..2 {
        assert_eq!(room.at(30_500).sweep().await.late_ms, 500);
    }
}

#[tokio::test]
async fn a_script_in_between_first_settles_the_rest() {
    let mut room = crowd(MEMBERS).await;
    assert!(room.run_until(LEASE_MS).await.sweep().await.more);
    let joined = room.through("node-2").join("zoe/1").await.unwrap();
    let states: Vec<String> = joined.members.iter().map(|members| members.get().to_owned()).collect();
    assert_eq!(states[0].matches("reconnecting").count() as u64, MEMBERS, "{states:?}");
    let events = room.events().await;
    assert_eq!(users_of(&events, "room:participantReconnecting"), users(0..MEMBERS));
    assert_eq!(events.last().unwrap().data["change"]["users"][0]["userId"], "zoe");
    let seqs: Vec<u64> = events.iter().map(|event| event.seq).collect();
    assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1), "{seqs:?}");
}

#[tokio::test]
async fn a_lease_that_ends_meanwhile_is_not_overlooked() {
    for later_ms in [1, 1_000] {
        let mut room = crowd(2).await;
        room.at(later_ms).through("node-2").join("kim/1").await.unwrap();
        room.at(later_ms).join("zoe/1").await.unwrap();
        room.events().await;
        // Members of the second bridge lie before and behind the place where the first look stops.
        assert!(room.through("node-3").run_until(LEASE_MS).await.sweep().await.more);
        sweep_all(room.at(LEASE_MS + later_ms)).await;
        let lost = users_of(&room.events().await, "room:participantReconnecting");
        assert_eq!(lost, ["m0", "m1", "kim", "zoe"], "the second lease ends {later_ms} ms later");
    }
}

#[tokio::test]
async fn a_lease_that_ends_meanwhile_together_with_the_session_ends_first() {
    let mut room = crowd(2).await;
    room.define_end(START + LEASE_MS + 1_000).await;
    room.at(1_000).through("node-2").join("kim/1").await.unwrap();
    room.at(1_000).join("zoe/1").await.unwrap();
    room.events().await;
    assert!(room.through("node-3").run_until(LEASE_MS).await.sweep().await.more);
    sweep_all(room.at(LEASE_MS + 1_000)).await;
    let events = room.events().await;
    assert_eq!(users_of(&events, "room:participantReconnecting"), ["m0", "m1", "kim", "zoe"]);
    assert_eq!(events.last().unwrap().name, "room:ended");
}

#[tokio::test]
async fn a_bridge_gets_a_new_lease_after_all_its_members_are_lost() {
    let mut room = crowd(MEMBERS).await;
    let since = room.run_until(LEASE_MS).await.heartbeat(false).await;
    assert_eq!(since, room.heartbeat(false).await);
    assert_eq!(users_of(&room.events().await, "room:participantReconnecting"), users(0..MEMBERS));
    assert!(room.join("m0/2").await.unwrap().recovered);
}

#[tokio::test]
async fn the_rooms_of_a_bridge_expire_also_if_its_heartbeat_breaks_off() {
    // The script drops all entries, and cannot know that nobody is left.
    let mut room = crowd(SLICE).await;
    let dying = room.run_until(LEASE_MS).await.rooms_that_die_after(1);
    dying.heartbeat(room.shard(), &heartbeat("node-1")).await.unwrap_err();
    assert_eq!(users_of(&room.events().await, "room:participantReconnecting"), users(0..SLICE));
    assert!(room.expiry("node:node-1").await > 0);
}

#[tokio::test]
async fn a_bridge_that_stops_loses_all_members() {
    let mut room = crowd(MEMBERS).await;
    room.in_room("botany").join("kim/1").await.unwrap();
    room.at(1).heartbeat(true).await;
    assert_eq!(users_of(&room.events().await, "room:participantReconnecting"), users(0..MEMBERS));
    assert_eq!(room.at(2).sweep().await.settled, 0);
}

#[tokio::test]
async fn the_end_of_a_session_closes_all_at_once_and_records_every_stay() {
    let mut room = crowd_with(MEMBERS, ALL_DAY_MS).await;
    assert!(room.at(END - START).sweep().await.more);
    assert_eq!(room.rooms().list(None, 10).await.unwrap().rooms, [], "the session is over");
    let events = room.events().await;
    assert_eq!((events.last().unwrap().name.as_str(), events.last().unwrap().closes), ("room:ended", true));

    assert_eq!(room.at(END - START + 5_000).join("kim/1").await.unwrap_err(), ErrorCode::SessionEnded);
    assert_eq!(room.event_names().await, [""; 0], "the session ends once");
    let attendance = room.attendance().await;
    let stays: Vec<_> = attendance.attendees.iter().map(|attendee| attendee.stays.as_slice()).collect();
    assert_eq!(stays.len() as u64, MEMBERS);
    for stay in stays {
        assert_eq!((stay[0].left_at, stay[0].ending), (END, Some(Ending::Ended)));
    }
    let kinds: Vec<String> = room.keys().await;
    let live = ["room:", "members:", "order:", "entries:", "grace:", "nodes:", "rate:", "deadlines"];
    assert!(!kinds.iter().any(|key| live.iter().any(|kind| key.contains(kind))), "{kinds:?}");
}

#[tokio::test]
async fn a_session_that_an_operator_ends_ends_once_also_if_the_caller_dies() {
    for is_deleted in [true, false] {
        let mut room = crowd(MEMBERS).await;
        let dying = room.at(1_000).rooms_that_die_after(3);
        let ended = SessionDefinition { end_at: START + 1_000, ..definition() };
        let died = match is_deleted {
            true => dying.undefine(&&room, &room.home, &Default::default()).await,
            false => dying.define(&&room, &room.home, ended).await.map(drop),
        };
        assert!(matches!(died, Err(Error::Unavailable(_))), "{died:?}");
        assert_eq!(room.event_names().await, ["room:ended"]);
        assert_eq!(room.rooms().list(None, 10).await.unwrap().rooms, [], "the session is over");
        assert_eq!(room.counts(&["algebra"]).await[0].1, 0);
        let mut recorded = redis::cmd("HLEN");
        recorded.arg(room.shard_key("stays:algebra"));
        let recorded: u64 = recorded.query_async(&mut room.redis).await.unwrap();
        assert_eq!(recorded, SLICE, "one slice");
        assert!(room.at(2_000).sweep().await.more, "the rest is due at once");
        sweep_all(&room).await;
        let attendance = room.attendance().await;
        assert_eq!(attendance.attendees.len() as u64, MEMBERS);
        assert!(attendance.attendees.iter().all(|attendee| attendee.present_ms == 1_000), "{attendance:?}");
        assert_eq!(room.event_names().await, [""; 0]);
    }
}

#[tokio::test]
async fn a_shorter_list_removes_all_others_also_if_the_caller_dies() {
    let only_m0 = SessionDefinition { members: Some(vec!["m0".parse().unwrap()]), ..definition() };
    for scripts in [10, 3] {
        let mut room = crowd(MEMBERS).await;
        let defined = room.rooms_that_die_after(scripts).define(&&room, &room.home, only_m0.clone()).await;
        assert_eq!(defined.is_ok(), scripts == 10, "{defined:?}");
        // A change that broke off is complete with the next join.
        room.at(10_000);
        assert!(room.join("m0/2").await.is_err(), "m0 is in the room");
        let events = room.events().await;
        assert_eq!(
            users_of(&events, "room:participantsChanged"),
            users(1..MEMBERS),
            "after {scripts} scripts"
        );
        assert_eq!(events.iter().filter(|event| event.name == "room:removed").count() as u64, MEMBERS - 1);
        assert_eq!(room.join("m1/2").await.unwrap_err(), ErrorCode::NotAMember);
    }
}

#[tokio::test]
async fn a_shorter_list_takes_a_script_for_each_slice() {
    let mut room = crowd(MEMBERS).await;
    let only_m0 = SessionDefinition { members: Some(vec!["m0".parse().unwrap()]), ..definition() };
    let count = room.count(async || room.define(only_m0).await).await;
    assert_eq!(count.0, 4, "one begins the change, one announces it, and two remove members");
    assert_eq!(count_named(&room.events().await), [3, 3]);
}

#[tokio::test]
async fn a_pause_prolongs_each_grace_period_once() {
    let mut room = crowd(0).await;
    room.join("lea/1").await.unwrap();
    for member in users(0..MEMBERS) {
        room.join(&format!("{member}/1")).await.unwrap();
        room.disconnect(&format!("{member}/1")).await;
    }
    room.events().await;
    // The shard pauses again between two slices.
    assert!(room.at(MINUTE).sweep().await.due_in_ms.is_some());
    let mut events = room.events().await;
    assert_eq!(events.len() as u64, SLICE, "in one script");
    room.at(2 * MINUTE).read(&[]).await;
    events.extend(room.events().await);
    let mut graces: HashMap<String, Vec<u64>> = HashMap::new();
    for event in events.iter().filter(|event| event.name == "room:participantReconnecting") {
        let user = event.data["userId"].as_str().unwrap().to_owned();
        graces.entry(user).or_default().push(event.data["graceUntil"].as_u64().unwrap() - START - 30_000);
    }
    let pause = MINUTE - LEASE_MS / 3;
    assert_eq!(graces.len() as u64, MEMBERS);
    assert!(graces.values().all(|prolonged| *prolonged == [pause, 2 * pause]), "{graces:?}");
    let snapshot: Value = serde_json::from_str(room.read(&[]).await.room.unwrap().get()).unwrap();
    assert_eq!(snapshot["count"], MEMBERS + 1, "nobody is removed");
}

#[tokio::test]
async fn attendance_has_everybody_who_was_and_is_in_the_room() {
    let mut room = crowd_with(2 * MEMBERS, ALL_DAY_MS).await;
    for member in 0..MEMBERS {
        room.at(1_000).leave(&format!("m{member}/1")).await;
    }
    room.at(2 * MINUTE).join("m0/2").await.unwrap();
    let attendance = room.at(2 * MINUTE + 5_000).attendance().await;
    assert_eq!(attendance.attendees.len() as u64, 2 * MEMBERS, "each user once");
    let stays = |user: &str| {
        attendance.attendees.iter().find(|attendee| attendee.user_id.as_str() == user).unwrap().stays.len()
    };
    assert_eq!((stays("m0"), stays("m1"), stays("m13")), (2, 1, 1));
}

//! Attendance: who was in the room, from when to when.

use rollcall_protocol::attendance::{Attendee, Ending};
use rollcall_protocol::definition::SessionDefinition;

use crate::fixture::{END, Fixture, MINUTE, START, definition};

async fn attendee(room: &Fixture, user: &str) -> Attendee {
    let attendance = room.attendance().await;
    attendance.attendees.into_iter().find(|attendee| attendee.user_id.as_str() == user).unwrap()
}

#[tokio::test]
async fn a_stay_is_counted_without_the_times_when_the_connection_was_lost() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.at(10_000).disconnect("kim/1").await;
    room.at(15_000).join("kim/2").await.unwrap();
    room.at(20_000).disconnect("kim/2").await;
    room.at(21_000).join("kim/3").await.unwrap();
    room.at(60_000).leave("kim/3").await;

    let kim = attendee(&room, "kim").await;
    assert_eq!((kim.present_ms, kim.drops, kim.user_name.as_str()), (54_000, 2, "KIM"));
    let [stay] = kim.stays.as_slice() else { panic!("{kim:?}") };
    assert_eq!((stay.entered_at, stay.left_at, stay.ending), (START, START + 60_000, Some(Ending::Left)));
}

#[tokio::test]
async fn a_member_who_does_not_come_back_was_there_until_the_connection_was_lost() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.at(10_000).disconnect("kim/1").await;
    room.at(50_000).sweep().await;
    let kim = attendee(&room, "kim").await;
    assert_eq!((kim.present_ms, kim.drops), (10_000, 1));
    assert_eq!((kim.stays[0].left_at, kim.stays[0].ending), (START + 10_000, Some(Ending::GraceExpired)));
}

/// Enters and leaves a second later.
async fn stay(room: &mut Fixture, user: &str, at: u64) {
    let entry = format!("{user}/{at}");
    room.at(at).join(&entry).await.unwrap();
    room.at(at + 1000).leave(&entry).await;
}

/// Attendance keys of the room.
fn keys_of(room: &Fixture) -> [String; 2] {
    ["stays", "attendees"].map(|kind| format!("rollcall:{{{}}}:{kind}:algebra", room.shard()))
}

#[tokio::test]
async fn every_stay_of_a_user_is_kept_and_summed_up() {
    let mut room = Fixture::start().await;
    for minute in 0..3 {
        stay(&mut room, "kim", minute * MINUTE).await;
    }
    let kim = attendee(&room, "kim").await;
    assert_eq!((kim.stays.len(), kim.present_ms, kim.drops), (3, 3000, 0));
}

#[tokio::test]
async fn stays_within_a_grace_period_of_each_other_are_one_stay_with_drops() {
    let mut room = Fixture::start().await;
    let grace = room.settings.grace_ms;
    stay(&mut room, "kim", 0).await;
    // Away for one millisecond less than the grace period.
    stay(&mut room, "kim", grace + 999).await;
    let kim = attendee(&room, "kim").await;
    assert_eq!((kim.present_ms, kim.drops, kim.stays.len()), (2000, 1, 1));
    let stay_of_both = &kim.stays[0];
    assert_eq!((stay_of_both.entered_at, stay_of_both.left_at), (START, START + grace + 1999));
    assert_eq!(stay_of_both.ending, Some(Ending::Left));
    // Away for the grace period.
    stay(&mut room, "kim", 2 * grace + 1999).await;
    let kim = attendee(&room, "kim").await;
    assert_eq!((kim.present_ms, kim.drops, kim.stays.len()), (3000, 1, 2));
}

#[tokio::test]
async fn a_stay_that_goes_on_is_one_with_the_stay_before() {
    let mut room = Fixture::start().await;
    stay(&mut room, "kim", 0).await;
    room.at(2000).join("kim/2").await.unwrap();
    let kim = attendee(room.at(7000), "kim").await;
    assert_eq!((kim.present_ms, kim.drops, kim.stays.len()), (6000, 1, 1));
    assert_eq!((kim.stays[0].entered_at, kim.stays[0].ending), (START, None));
}

#[tokio::test]
async fn a_removal_and_the_end_of_a_session_separate_stays() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.rooms().kick(&"algebra".parse().unwrap(), &"kim".parse().unwrap()).await.unwrap();
    stay(&mut room, "kim", 1000).await;
    room.at(2000).join("kim/2").await.unwrap();
    room.undefine().await;
    room.define(definition()).await;
    stay(&mut room, "kim", 3000).await;
    let kim = attendee(&room, "kim").await;
    let endings: Vec<_> = kim.stays.iter().map(|stay| stay.ending.unwrap()).collect();
    assert_eq!(endings, [Ending::Removed, Ending::Ended, Ending::Left]);
    assert_eq!((kim.present_ms, kim.drops), (2000, 1));
}

#[tokio::test]
async fn a_user_who_comes_and_goes_takes_nothing_from_the_stays_of_others() {
    let mut room = Fixture::start().await;
    room.settings.attendance_limit = 9;
    for user in ["ann", "ben"] {
        stay(&mut room, user, 0).await;
        stay(&mut room, user, MINUTE).await;
    }
    for minute in 2..50 {
        stay(&mut room, "kim", minute * MINUTE).await;
    }
    for user in ["ann", "ben"] {
        let attendee = attendee(&room, user).await;
        assert_eq!((attendee.stays.len(), attendee.present_ms, attendee.drops), (2, 2000, 0), "{user}");
    }
    // A third of the limit; the oldest stays are one, so that no time is lost.
    let kim = attendee(&room, "kim").await;
    assert_eq!((kim.stays.len(), kim.present_ms, kim.drops), (3, 48_000, 45));
    assert_eq!((kim.stays[0].entered_at, kim.stays[1].entered_at), (START + 2 * MINUTE, START + 48 * MINUTE));
}

#[tokio::test]
async fn one_user_alone_has_all_of_the_limit() {
    let mut room = Fixture::start().await;
    room.settings.attendance_limit = 3;
    for minute in 0..4 {
        stay(&mut room, "kim", minute * MINUTE).await;
    }
    assert_eq!(attendee(&room, "kim").await.stays.len(), 3);
}

#[tokio::test]
async fn one_user_has_at_most_a_hundred_stays() {
    let mut room = Fixture::start().await;
    room.settings.grace_ms = 0;
    for number in 0..101 {
        stay(&mut room, "kim", number * 20_000).await;
    }
    let kim = attendee(&room, "kim").await;
    assert_eq!((kim.stays.len(), kim.present_ms, kim.drops), (100, 101_000, 1));
    assert_eq!(kim.stays[1].entered_at, START + 40_000);
}

#[tokio::test]
async fn beyond_the_limit_the_user_whose_last_stay_ended_first_makes_way() {
    let mut room = Fixture::start().await;
    room.settings.attendance_limit = 2;
    stay(&mut room, "ann", 0).await;
    stay(&mut room, "ben", MINUTE).await;
    stay(&mut room, "ann", 2 * MINUTE).await;
    stay(&mut room, "kim", 3 * MINUTE).await;
    let attendance = room.attendance().await;
    let users: Vec<&str> = attendance.attendees.iter().map(|attendee| attendee.user_id.as_str()).collect();
    assert_eq!(users, ["ann", "kim"]);
    assert_eq!(attendance.attendees[0].stays.len(), 1, "each user has one stay at least, and no more here");
    let [stays, attendees] = keys_of(&room);
    let left: usize = redis::cmd("HLEN").arg(stays).query_async(&mut room.redis).await.unwrap();
    let listed: usize = redis::cmd("ZCARD").arg(attendees).query_async(&mut room.redis).await.unwrap();
    assert_eq!((left, listed), (2, 2));
}

#[tokio::test]
async fn members_in_the_room_are_listed_up_to_now() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    let kim = attendee(room.at(7000), "kim").await;
    assert_eq!((kim.present_ms, kim.stays[0].ending), (7000, None));
}

#[tokio::test]
async fn the_end_and_a_removal_end_a_stay() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.join("ben/1").await.unwrap();
    let members = Some(vec!["ben".parse().unwrap()]);
    room.at(MINUTE).define(SessionDefinition { members, ..definition() }).await;
    // Nobody swept for a minute.
    room.at(61 * MINUTE).sweep().await;
    let (kim, ben) = (attendee(&room, "kim").await, attendee(&room, "ben").await);
    assert_eq!((kim.present_ms, kim.stays[0].ending), (MINUTE, Some(Ending::Removed)));
    assert_eq!((ben.stays[0].left_at, ben.stays[0].ending), (END, Some(Ending::Ended)));
}

#[tokio::test]
async fn attendance_is_read_after_what_is_overdue() {
    let mut room = Fixture::start().await;
    room.join("ben/1").await.unwrap();
    room.join("kim/1").await.unwrap();
    room.at(10_000).disconnect("kim/1").await;
    let kim = attendee(room.at(40_000), "kim").await;
    assert_eq!(kim.stays[0].ending, Some(Ending::GraceExpired));
    let ben = attendee(room.at(60 * MINUTE), "ben").await;
    assert_eq!((ben.stays[0].left_at, ben.stays[0].ending), (END, Some(Ending::Ended)));
}

#[tokio::test]
async fn a_clock_that_steps_back_makes_no_stay_negative() {
    let mut room = Fixture::start().await;
    room.at(10_000).join("kim/1").await.unwrap();
    assert_eq!(attendee(room.at(9_000), "kim").await.present_ms, 0);
    room.leave("kim/1").await;
    assert_eq!(attendee(&room, "kim").await.present_ms, 0);
}

#[tokio::test]
async fn attendance_of_a_session_that_ends_late_is_kept_from_then_on() {
    let mut room = Fixture::start().await;
    stay(&mut room, "ben", 0).await;
    room.join("kim/1").await.unwrap();
    let late = 60 * MINUTE + room.settings.retention_ms / 2;
    room.at(late).sweep().await;
    let expected = START + late + room.settings.attendance_ms;
    for key in ["stays:algebra", "attendees:algebra"] {
        assert_eq!(room.expiry(key).await, expected as i64, "{key}");
    }
}

#[tokio::test]
async fn attendance_outlives_the_session_and_expires() {
    let mut room = Fixture::start().await;
    stay(&mut room, "kim", 0).await;
    room.at(60 * MINUTE).sweep().await;
    assert_eq!(attendee(&room, "kim").await.present_ms, 1000);
    for key in keys_of(&room) {
        let expires: u64 = redis::cmd("PEXPIRETIME").arg(&key).query_async(&mut room.redis).await.unwrap();
        assert_eq!(expires, END + room.settings.attendance_ms);
    }
}

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

#[tokio::test]
async fn every_stay_of_a_user_is_kept_and_summed_up() {
    let mut room = Fixture::start().await;
    for minute in 0..3 {
        let entry = format!("kim/{minute}");
        room.at(minute * MINUTE).join(&entry).await.unwrap();
        room.at(minute * MINUTE + 1000).leave(&entry).await;
    }
    let kim = attendee(&room, "kim").await;
    assert_eq!((kim.stays.len(), kim.present_ms), (3, 3000));
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
async fn attendance_outlives_the_session_and_expires() {
    let mut room = Fixture::start().await;
    room.settings.attendance_limit = 1;
    for n in 0..300 {
        let entry = format!("user-{n}/1");
        room.join(&entry).await.unwrap();
        room.leave(&entry).await;
    }
    let key = format!("rollcall:{{{}}}:attendance:algebra", room.shard());
    let kept: usize = redis::cmd("XLEN").arg(&key).query_async(&mut room.redis).await.unwrap();
    // Streams are trimmed by whole nodes, of a hundred entries each.
    assert!(kept < 200, "{kept}");
    let expires: u64 = redis::cmd("PEXPIRETIME").arg(&key).query_async(&mut room.redis).await.unwrap();
    assert_eq!(expires, END + room.settings.attendance_ms);
}

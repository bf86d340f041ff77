use serde_json::json;

use crate::fixture::{Fixture, user_ids};

#[tokio::test]
async fn a_member_who_leaves_is_gone_at_once() {
    let mut room = Fixture::start().await;
    room.join("lea/1").await.unwrap();
    room.join("kim/1").await.unwrap();
    room.events().await;

    room.leave("kim/1").await;
    let events = room.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].name, "room:participantsChanged");
    assert_eq!(
        events[0].data["change"],
        json!({"type": "left", "users": [{"userId": "kim", "userName": "KIM"}]})
    );
    assert_eq!(user_ids(&events[0].data["members"]), ["lea"]);
    assert!(!room.join("kim/2").await.unwrap().recovered, "leaving is for good");
}

#[tokio::test]
async fn a_leave_delivered_twice_has_no_second_effect() {
    let mut room = Fixture::start().await;
    room.join("lea/1").await.unwrap();
    room.join("kim/1").await.unwrap();
    room.leave("kim/1").await;
    room.events().await;
    room.leave("kim/1").await;
    assert_eq!(room.event_names().await, [""; 0]);
}

#[tokio::test]
async fn a_late_leave_does_not_remove_the_newer_entry() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.disconnect("kim/1").await;
    room.join("kim/2").await.unwrap();
    room.events().await;
    room.leave("kim/1").await;
    assert_eq!(room.event_names().await, [""; 0]);
    assert_eq!(room.join("kim/2").await.unwrap().count, 1);
}

#[tokio::test]
async fn the_session_goes_on_when_the_room_is_empty() {
    let mut room = Fixture::start().await;
    let first = room.join("kim/1").await.unwrap();
    room.leave("kim/1").await;
    let second = room.at(1).join("ben/1").await.unwrap();
    assert!(!second.first, "a session starts once");
    assert_eq!(second.epoch, first.epoch);
    assert_eq!(second.host_id.as_str(), "ben");
}

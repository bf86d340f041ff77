//! Coming back with a resume token.

use rollcall_protocol::ErrorCode;

use crate::story::{START, Story, members};

#[tokio::test]
async fn who_presents_the_token_takes_the_entrys_place_although_its_loss_was_not_noticed() {
    let mut room = Story::begin().await;
    room.join("kim/1").await.unwrap();
    room.join("ben/1").await.unwrap();
    room.events().await;

    let joined = room.at(5).through("node-2").resume("kim/2", "kim/1").await.unwrap();
    assert!(joined.recovered && !joined.first);
    assert_eq!(members(&joined), ["kim", "ben"], "kim kept the place");
    let events = room.events().await;
    assert_eq!(events.len(), 1, "nobody else is told: for them, kim was there all the time");
    assert_eq!((events[0].name.as_str(), events[0].only.as_deref()), ("room:replaced", Some("kim/1")));
    assert!(events[0].closes);

    room.disconnect("kim/1").await;
    room.leave("kim/1").await;
    assert_eq!(room.event_names().await, [""; 0], "what the old connection says comes too late");
    assert_eq!(room.join("kim/3").await.unwrap_err(), ErrorCode::AlreadyJoined);
}

#[tokio::test]
async fn a_token_counts_for_the_user_and_the_entry_that_it_was_given_for() {
    let room = Story::begin().await;
    room.join("kim/1").await.unwrap();
    room.join("ben/1").await.unwrap();
    assert_eq!(room.resume("kim/2", "ben/1").await.unwrap_err(), ErrorCode::AlreadyJoined);
    room.resume("kim/2", "kim/1").await.unwrap();
    room.resume("kim/3", "kim/2").await.unwrap();
    assert_eq!(room.resume("kim/4", "kim/1").await.unwrap_err(), ErrorCode::AlreadyJoined);
}

#[tokio::test]
async fn a_client_that_never_got_the_answer_may_come_again_with_the_same_token() {
    let room = Story::begin().await;
    room.join("kim/1").await.unwrap();
    room.resume("kim/2", "kim/1").await.unwrap();
    assert!(room.resume("kim/3", "kim/1").await.unwrap().recovered);
}

#[tokio::test]
async fn a_resume_delivered_twice_recovers_twice_and_has_no_second_effect() {
    let mut room = Story::begin().await;
    room.join("kim/1").await.unwrap();
    let first = room.resume("kim/2", "kim/1").await.unwrap();
    room.events().await;
    let again = room.resume("kim/2", "kim/1").await.unwrap();
    assert_eq!((again.recovered, again.seq), (first.recovered, first.seq));
    assert_eq!(room.event_names().await, [""; 0]);
}

#[tokio::test]
async fn within_the_grace_period_a_token_is_as_good_as_none() {
    let mut room = Story::begin().await;
    room.join("kim/1").await.unwrap();
    room.disconnect("kim/1").await;
    room.events().await;
    assert!(room.at(1).resume("kim/2", "kim/1").await.unwrap().recovered);
    assert_eq!(room.event_names().await, ["room:participantReconnected"]);
}

#[tokio::test]
async fn a_bridge_that_enters_its_members_again_takes_the_place_of_its_own_entry() {
    let mut room = Story::begin().await;
    room.join("kim/1").await.unwrap();
    room.events().await;
    assert!(room.enter_again("kim/2", "kim/1").await.unwrap().recovered);
    assert_eq!(room.event_names().await, ["room:replaced"]);
}

#[tokio::test]
async fn a_bridge_that_enters_its_members_again_does_not_throw_out_a_newer_connection() {
    let mut room = Story::begin().await;
    room.join("kim/1").await.unwrap();
    room.through("node-2").resume("kim/2", "kim/1").await.unwrap();
    room.events().await;
    assert_eq!(room.enter_again("kim/3", "kim/1").await.unwrap_err(), ErrorCode::AlreadyJoined);
    assert_eq!(room.event_names().await, [""; 0]);
}

#[tokio::test]
async fn the_old_bridges_lease_does_not_touch_who_came_back_through_another() {
    let mut room = Story::begin().await;
    room.settings.lease_ms = 15_000;
    room.join("kim/1").await.unwrap();
    room.through("node-2").resume("kim/2", "kim/1").await.unwrap();
    room.at(14_000).heartbeat(false).await;
    room.events().await;
    room.at(15_000).sweep().await;
    assert_eq!(room.event_names().await, [""; 0]);
    let joined = room.join("ben/1").await.unwrap();
    let list: serde_json::Value = serde_json::from_str(joined.members.unwrap().get()).unwrap();
    assert_eq!((&list[0]["state"], &list[0]["joinedAt"]), (&"present".into(), &START.into()));
}

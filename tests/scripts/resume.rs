//! Joins with a resume token.

use rollcall_protocol::ErrorCode;

use crate::fixture::{Fixture, START, member_ids};

#[tokio::test]
async fn a_resume_token_replaces_its_entry_before_the_loss_is_noticed() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.join("ben/1").await.unwrap();
    room.events().await;

    let joined = room.at(5).through("node-2").resume("kim/2", "kim/1").await.unwrap();
    assert!(joined.recovered && !joined.first);
    assert_eq!(member_ids(&joined), ["kim", "ben"], "kim is still first in the list");
    let events = room.events().await;
    assert_eq!(events.len(), 1, "other members get no event: for them, kim was there all the time");
    assert_eq!((events[0].name.as_str(), events[0].only.as_deref()), ("room:replaced", Some("kim/1")));
    assert!(events[0].closes);

    room.disconnect("kim/1").await;
    room.leave("kim/1").await;
    assert_eq!(room.event_names().await, [""; 0], "a call of the old connection comes too late");
    assert_eq!(room.join("kim/3").await.unwrap_err(), ErrorCode::AlreadyJoined);
}

#[tokio::test]
async fn a_token_is_valid_only_for_its_user_and_entry() {
    let room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.join("ben/1").await.unwrap();
    assert_eq!(room.resume("kim/2", "ben/1").await.unwrap_err(), ErrorCode::AlreadyJoined);
    room.resume("kim/2", "kim/1").await.unwrap();
    room.resume("kim/3", "kim/2").await.unwrap();
    assert_eq!(room.resume("kim/4", "kim/1").await.unwrap_err(), ErrorCode::AlreadyJoined);
}

#[tokio::test]
async fn a_client_that_never_got_the_ack_may_present_the_same_token_again() {
    let room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.resume("kim/2", "kim/1").await.unwrap();
    assert!(room.resume("kim/3", "kim/1").await.unwrap().recovered);
}

#[tokio::test]
async fn a_resume_delivered_twice_recovers_twice_and_has_no_second_effect() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    let first = room.resume("kim/2", "kim/1").await.unwrap();
    room.events().await;
    let again = room.resume("kim/2", "kim/1").await.unwrap();
    assert_eq!((again.recovered, again.seq), (first.recovered, first.seq));
    assert_eq!(room.event_names().await, [""; 0]);
}

#[tokio::test]
async fn within_the_grace_period_a_token_is_as_good_as_none() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.disconnect("kim/1").await;
    room.events().await;
    assert!(room.at(1).resume("kim/2", "kim/1").await.unwrap().recovered);
    assert_eq!(room.event_names().await, ["room:participantReconnected"]);
}

#[tokio::test]
async fn a_rejoin_replaces_the_entry_of_the_same_socket() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.events().await;
    assert!(room.rejoin("kim/2", "kim/1").await.unwrap().recovered);
    assert_eq!(room.event_names().await, ["room:replaced"]);
}

#[tokio::test]
async fn a_rejoin_does_not_replace_a_newer_connection() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.through("node-2").resume("kim/2", "kim/1").await.unwrap();
    room.events().await;
    assert_eq!(room.rejoin("kim/3", "kim/1").await.unwrap_err(), ErrorCode::AlreadyJoined);
    assert_eq!(room.event_names().await, [""; 0]);
}

#[tokio::test]
async fn the_old_bridges_lease_does_not_touch_a_member_who_came_back_through_another() {
    let mut room = Fixture::start().await;
    room.settings.lease_ms = 15_000;
    room.join("kim/1").await.unwrap();
    room.through("node-2").resume("kim/2", "kim/1").await.unwrap();
    room.run_until(14_000).await.heartbeat(false).await;
    room.events().await;
    room.run_until(15_000).await.sweep().await;
    assert_eq!(room.event_names().await, [""; 0]);
    let joined = room.join("ben/1").await.unwrap();
    let list: serde_json::Value = serde_json::from_str(joined.members.unwrap().get()).unwrap();
    assert_eq!((&list[0]["state"], &list[0]["joinedAt"]), (&"present".into(), &START.into()));
}

//! Reads of a room by a bridge.

use serde_json::Value;

use crate::fixture::{Fixture, MINUTE, user_ids};

#[tokio::test]
async fn a_read_returns_the_room_and_the_entries_that_are_not_current() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.join("ben/1").await.unwrap();
    room.join("ann/1").await.unwrap();
    room.disconnect("ben/1").await;
    let snapshot = room.read(&["kim/1", "ben/1", "ann/0", "zoe/1"]).await;
    let gone: Vec<_> = snapshot.gone.iter().map(|entry| entry.as_str()).collect();
    assert_eq!(gone, ["ben/1", "ann/0", "zoe/1"]);
    let state: Value = serde_json::from_str(snapshot.room.unwrap().get()).unwrap();
    assert_eq!(user_ids(&state["members"]), ["kim", "ben", "ann"]);
    assert_eq!(state["seq"], room.events().await.last().unwrap().seq);
}

#[tokio::test]
async fn reading_settles_what_is_overdue() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.events().await;
    let snapshot = room.at(60 * MINUTE).read(&["kim/1"]).await;
    assert!(snapshot.room.is_none());
    assert_eq!(snapshot.gone.len(), 1);
    assert_eq!(room.event_names().await, ["room:ended"]);
}

#[tokio::test]
async fn a_room_that_is_live_and_empty_has_no_host() {
    let room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.leave("kim/1").await;
    let state: Value = serde_json::from_str(room.read(&[]).await.room.unwrap().get()).unwrap();
    assert_eq!((&state["count"], state.get("hostId")), (&0.into(), None));
}

//! Reading a room.

use serde_json::Value;

use crate::story::{MINUTE, Story, ids};

#[tokio::test]
async fn a_bridge_learns_how_things_are_and_which_of_its_entries_are_over() {
    let mut room = Story::begin().await;
    room.join("kim/1").await.unwrap();
    room.join("ben/1").await.unwrap();
    room.join("ann/1").await.unwrap();
    room.disconnect("ben/1").await;
    let reading = room.read(&["kim/1", "ben/1", "ann/0", "zoe/1"]).await;
    let gone: Vec<_> = reading.gone.iter().map(|entry| entry.as_str()).collect();
    assert_eq!(gone, ["ben/1", "ann/0", "zoe/1"]);
    let state: Value = serde_json::from_str(reading.room.unwrap().get()).unwrap();
    assert_eq!(ids(&state["members"]), ["kim", "ben", "ann"]);
    assert_eq!(state["seq"], room.events().await.last().unwrap().seq);
}

#[tokio::test]
async fn reading_settles_what_is_overdue() {
    let mut room = Story::begin().await;
    room.join("kim/1").await.unwrap();
    room.events().await;
    let reading = room.at(60 * MINUTE).read(&["kim/1"]).await;
    assert!(reading.room.is_none());
    assert_eq!(reading.gone.len(), 1);
    assert_eq!(room.event_names().await, ["room:ended"]);
}

#[tokio::test]
async fn a_room_that_is_live_and_empty_has_no_host() {
    let room = Story::begin().await;
    room.join("kim/1").await.unwrap();
    room.leave("kim/1").await;
    let state: Value = serde_json::from_str(room.read(&[]).await.room.unwrap().get()).unwrap();
    assert_eq!((&state["count"], state.get("hostId")), (&0.into(), None));
}

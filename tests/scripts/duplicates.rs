//! A second connection of a user who is in the room.

use rollcall_protocol::{
    ErrorCode,
    definition::{Duplicates, SessionDefinition},
};

use crate::fixture::{Fixture, definition, member_ids};

async fn room_that(duplicates: Duplicates) -> Fixture {
    let mut room = Fixture::start().await;
    room.define(SessionDefinition { duplicates, ..definition() }).await;
    room.join("kim/1").await.unwrap();
    room.events().await;
    room
}

#[tokio::test]
async fn refuse_is_the_default() {
    let mut room = room_that(Duplicates::default()).await;
    assert_eq!(room.join("kim/2").await.unwrap_err(), ErrorCode::AlreadyJoined);
    assert_eq!(room.event_names().await, [""; 0]);
}

#[tokio::test]
async fn takeover_closes_the_old_connection_without_an_event_for_others() {
    let mut room = room_that(Duplicates::Takeover).await;
    assert!(room.join("kim/2").await.unwrap().recovered);
    let events = room.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].name.as_str(), events[0].only.as_deref()), ("room:replaced", Some("kim/1")));
    room.disconnect("kim/1").await;
    assert_eq!(room.event_names().await, [""; 0]);
}

#[tokio::test]
async fn takeover_closes_the_oldest_of_several_connections() {
    let mut room = room_that(Duplicates::Share).await;
    room.join("kim/2").await.unwrap();
    room.join("kim/3").await.unwrap();
    room.define(SessionDefinition { duplicates: Duplicates::Takeover, ..definition() }).await;
    room.events().await;
    room.join("kim/4").await.unwrap();
    let events = room.events().await;
    assert_eq!((events.len(), events[0].only.as_deref()), (1, Some("kim/1")));
    let gone = room.read(&["kim/1", "kim/2", "kim/3", "kim/4"]).await.gone;
    assert_eq!(gone.iter().map(|entry| entry.as_str()).collect::<Vec<_>>(), ["kim/1"]);
}

#[tokio::test]
async fn takeover_does_not_let_a_rejoin_replace_a_newer_connection() {
    let mut room = room_that(Duplicates::Takeover).await;
    room.join("kim/2").await.unwrap();
    assert_eq!(room.rejoin("kim/3", "kim/1").await.unwrap_err(), ErrorCode::AlreadyJoined);
    room.events().await;
}

#[tokio::test]
async fn shared_a_user_is_present_while_at_least_one_connection_is() {
    let mut room = room_that(Duplicates::Share).await;
    let second = room.join("kim/2").await.unwrap();
    assert_eq!((member_ids(&second), second.count), (vec!["kim".to_owned()], 1), "no user twice");
    room.disconnect("kim/1").await;
    assert_eq!(room.event_names().await, [""; 0], "the other connection stays");
    room.disconnect("kim/2").await;
    assert_eq!(room.event_names().await, ["room:participantReconnecting"]);
    assert!(room.join("kim/3").await.unwrap().recovered);
}

#[tokio::test]
async fn shared_a_user_leaves_with_the_last_connection() {
    let mut room = room_that(Duplicates::Share).await;
    room.join("kim/2").await.unwrap();
    room.leave("kim/1").await;
    assert_eq!(room.event_names().await, [""; 0]);
    room.leave("kim/1").await;
    assert_eq!(room.event_names().await, [""; 0], "a copy removes nobody else");
    room.leave("kim/2").await;
    assert_eq!(room.event_names().await, ["room:participantsChanged"]);
}

#[tokio::test]
async fn shared_connections_are_limited_in_number() {
    let room = room_that(Duplicates::Share).await;
    for n in 2..=16 {
        room.join(&format!("kim/{n}")).await.unwrap();
    }
    assert_eq!(room.join("kim/17").await.unwrap_err(), ErrorCode::TooManyConnections);
    room.resume("kim/18", "kim/5").await.unwrap();
    room.define(SessionDefinition { duplicates: Duplicates::Takeover, ..definition() }).await;
    room.join("kim/19").await.expect("a takeover adds none");
}

#[tokio::test]
async fn shared_connections_survive_the_death_of_another_connections_bridge() {
    let mut room = room_that(Duplicates::Share).await;
    room.settings.lease_ms = 15_000;
    room.through("node-2").join("kim/2").await.unwrap();
    room.run_until(15_000).await.sweep().await;
    assert_eq!(room.event_names().await, [""; 0]);
    room.disconnect("kim/1").await;
    assert_eq!(room.event_names().await, ["room:participantReconnecting"]);
}

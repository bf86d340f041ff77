//! New names and roles of members.

use rollcall_protocol::definition::{Duplicates, SessionDefinition};
use serde_json::{Value, json};

use crate::fixture::{Event, Fixture, MINUTE, definition};

/// A room with Ben and Kim.
async fn room_that(duplicates: Duplicates) -> Fixture {
    let mut room = Fixture::start().await;
    room.define(SessionDefinition { duplicates, ..definition() }).await;
    room.join("ben/1").await.unwrap();
    room.join("kim/1").await.unwrap();
    room.events().await;
    room
}

/// Kim as the members of the room see Kim.
async fn kim(room: &Fixture) -> Value {
    let snapshot = room.read(&[]).await;
    let state: Value = serde_json::from_str(snapshot.room.unwrap().get()).unwrap();
    state["members"][1].clone()
}

fn update(name: &str, role: Option<&str>) -> Value {
    let mut user = json!({ "userId": "kim", "userName": name });
    if let Some(role) = role {
        user["userRole"] = role.into();
    }
    json!({ "type": "updated", "users": [user] })
}

#[track_caller]
fn assert_update(event: &Event, name: &str, role: Option<&str>) {
    assert_eq!(event.name, "room:participantsChanged");
    assert_eq!(event.data["change"], update(name, role));
    let member = &event.data["members"][1];
    assert_eq!((&member["userName"], member["state"].as_str()), (&name.into(), Some("present")));
    assert_eq!(event.data["count"], 2);
}

#[tokio::test]
async fn each_way_to_join_again_brings_a_new_name_and_role() {
    for duplicates in [Duplicates::Takeover, Duplicates::Share] {
        let mut room = room_that(duplicates).await;
        let ack = room.join_named("kim/2", "Kimberly", Some("tutor")).await.unwrap();
        let events = room.events().await;
        let event = events.last().unwrap();
        assert_update(event, "Kimberly", Some("tutor"));
        assert_eq!((event.except.as_deref(), event.seq), (Some("kim/2"), ack.seq), "the ack includes it");
        assert_eq!(kim(&room).await["userRole"], "tutor");
    }
    let mut room = room_that(Duplicates::Refuse).await;
    room.disconnect("kim/1").await;
    room.join_named("kim/2", "KIM", Some("tutor")).await.unwrap();
    let events = room.events().await;
    assert_eq!(events[1].name, "room:participantReconnected");
    assert_update(&events[2], "KIM", Some("tutor"));
}

#[tokio::test]
async fn a_refreshed_token_brings_its_name_once_and_also_to_its_own_connection() {
    let mut room = room_that(Duplicates::Refuse).await;
    for _ in 0..2 {
        let ack = room.refresh("kim/1", 1, "Kimberly", None).await;
        assert_eq!(ack.seq, 3);
    }
    let events = room.events().await;
    assert_eq!((events.len(), events[0].except.as_deref()), (1, None));
    assert_update(&events[0], "Kimberly", None);
}

#[tokio::test]
async fn a_late_copy_of_a_join_or_a_refresh_brings_no_older_name_back() {
    let mut room = room_that(Duplicates::Refuse).await;
    room.refresh("kim/1", 2, "Kimberly", None).await;
    room.events().await;
    room.refresh("kim/1", 1, "Kimmy", None).await;
    room.join("kim/1").await.unwrap();
    assert_eq!(room.event_names().await, [""; 0]);
    assert_eq!(kim(&room).await["userName"], "Kimberly");
}

#[tokio::test]
async fn the_same_name_and_role_are_no_event() {
    let mut room = room_that(Duplicates::Share).await;
    room.join("kim/2").await.unwrap();
    room.refresh("kim/1", 1, "KIM", None).await;
    assert_eq!(room.event_names().await, [""; 0]);
    room.refresh("kim/1", 2, "KIM", Some("tutor")).await;
    room.refresh("kim/1", 3, "KIM", None).await;
    assert_eq!(room.event_names().await, ["room:participantsChanged"; 2], "a lost role is a change");
}

#[tokio::test]
async fn above_the_roster_limit_the_event_has_the_role() {
    let mut room = room_that(Duplicates::Refuse).await;
    room.settings.roster_limit = 1;
    room.refresh("kim/1", 1, "Kim", Some("tutor")).await;
    let events = room.events().await;
    assert_eq!(events[0].data["change"], update("Kim", Some("tutor")));
    assert_eq!(events[0].data.get("members"), None);
}

#[tokio::test]
async fn the_attendance_has_the_last_name() {
    let mut room = room_that(Duplicates::Refuse).await;
    room.refresh("kim/1", 1, "Kimberly", None).await;
    room.at(MINUTE).leave("kim/1").await;
    let attendance = serde_json::to_value(room.attendance().await).unwrap();
    assert!(attendance.to_string().contains("Kimberly"), "{attendance}");
}

#[tokio::test]
async fn a_copy_of_a_join_does_not_bring_the_name_back_that_another_connection_changed() {
    let mut room = room_that(Duplicates::Share).await;
    room.join_named("kim/2", "Kimberly", None).await.unwrap();
    assert_update(&room.events().await[0], "Kimberly", None);
    room.join("kim/1").await.unwrap();
    assert_eq!(room.event_names().await, [""; 0]);
    assert_eq!(kim(&room).await["userName"], "Kimberly");
}

use rollcall_protocol::ErrorCode;
use serde_json::json;

use crate::fixture::{Fixture, START};

#[tokio::test]
async fn a_lost_connection_starts_the_grace_period() {
    let mut room = Fixture::start().await;
    room.join("lea/1").await.unwrap();
    room.join("kim/1").await.unwrap();
    room.events().await;

    room.at(7).disconnect("kim/1").await;
    let events = room.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].name, "room:participantReconnecting");
    assert_eq!(events[0].data["userId"], "kim");
    assert_eq!(events[0].data["userName"], "KIM");
    assert_eq!(events[0].data["graceUntil"], START + 30_007);

    let joined = room.join("ann/1").await.unwrap();
    let members: serde_json::Value = serde_json::from_str(joined.members.unwrap().get()).unwrap();
    let kim = members.as_array().unwrap().iter().find(|member| member["userId"] == "kim").unwrap();
    assert_eq!(kim["state"], json!("reconnecting"), "a new member sees it too");
    assert_eq!(kim["graceUntil"], START + 30_007);
}

#[tokio::test]
async fn a_disconnect_delivered_twice_has_no_second_effect() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.disconnect("kim/1").await;
    room.events().await;
    room.at(20_000).disconnect("kim/1").await;
    assert_eq!(room.event_names().await, [""; 0]);
    assert_eq!(room.at(30_000).sweep().await.settled, 1, "the grace period was not prolonged");
}

#[tokio::test]
async fn a_late_disconnect_does_not_evict_the_new_tab() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.disconnect("kim/1").await;
    room.join("kim/2").await.unwrap();
    room.events().await;
    room.at(29_000).disconnect("kim/1").await;
    assert_eq!(room.event_names().await, [""; 0]);
    room.at(60_000).sweep().await;
    assert_eq!(room.join("kim/2").await.unwrap().count, 1);
}

#[tokio::test]
async fn a_disconnect_that_overtakes_its_join_keeps_it_out() {
    let mut room = Fixture::start().await;
    room.disconnect("kim/1").await;
    assert_eq!(room.join("kim/1").await.unwrap_err(), ErrorCode::EntryClosed);
    assert_eq!(room.event_names().await, [""; 0], "no ghost has entered");
    room.join("kim/2").await.unwrap();
}

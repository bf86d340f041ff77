use rollcall_protocol::{
    ErrorCode,
    definition::{SessionDefinition, StoredDefinition},
};

use crate::fixture::{END, Fixture, MINUTE, definition};

/// Keys that outlive the session, and keys of the shard.
const KEPT: [&str; 7] =
    [":attendees:algebra", ":clock", ":closed:algebra", ":stays:algebra", ":epoch", ":leases", ":leased"];

#[tokio::test]
async fn the_end_closes_all_sockets_and_deletes_the_room() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.join("ben/1").await.unwrap();
    room.at(50 * MINUTE).sweep().await;
    room.events().await;

    room.at(60 * MINUTE).sweep().await;
    let events = room.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].name, "room:ended");
    assert_eq!(events[0].data["groupId"], "algebra");
    assert_eq!(events[0].data["reason"], "time");
    assert!(events[0].closes);
    let keys = room.keys().await;
    assert!(keys.iter().all(|key| KEPT.iter().any(|kept| key.ends_with(kept))), "{keys:?}");

    room.at(61 * MINUTE).sweep().await;
    assert_eq!(room.event_names().await, [""; 0], "an end happens once");
}

#[tokio::test]
async fn nobody_can_come_back_after_the_end() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.at(60 * MINUTE - 1).disconnect("kim/1").await;
    room.at(60 * MINUTE);
    assert_eq!(
        room.join("kim/2").await.unwrap_err(),
        ErrorCode::SessionEnded,
        "although the grace period runs"
    );
    assert_eq!(room.event_names().await.last().unwrap(), "room:ended");
}

#[tokio::test]
async fn an_event_that_comes_after_the_end_settles_it_and_changes_nothing_else() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.at(55 * MINUTE).sweep().await;
    room.events().await;
    room.at(60 * MINUTE).disconnect("kim/1").await;
    assert_eq!(room.event_names().await, ["room:ended"]);
    room.leave("kim/1").await;
    assert_eq!(room.event_names().await, [""; 0]);
}

#[tokio::test]
async fn a_new_session_in_the_same_room_counts_anew_in_a_later_epoch() {
    let mut room = Fixture::start().await;
    let first = room.join("kim/1").await.unwrap();
    room.at(60 * MINUTE).sweep().await;
    room.define(SessionDefinition { end_at: END + 60 * MINUTE, ..definition() }).await;
    room.events().await;

    assert_eq!(
        room.join("kim/1").await.unwrap_err(),
        ErrorCode::EntryClosed,
        "a copy from the first session"
    );
    let second = room.join("kim/2").await.unwrap();
    assert!(second.first);
    assert!(second.epoch > first.epoch);
    assert_eq!(room.events().await[0].seq, 1);
}

#[tokio::test]
async fn a_session_that_starts_in_the_call_that_ended_the_last_one_has_a_host() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    let definition = SessionDefinition { end_at: END + 60 * MINUTE, ..definition() };
    room.store(Some(StoredDefinition { revision: 2, definition }));
    room.at(60 * MINUTE);
    assert!(room.join("kim/2").await.unwrap().first);
    assert_eq!(room.join("kim/2").await.unwrap().host_id.as_str(), "kim", "stored, and not only published");
}

#[tokio::test]
async fn epochs_rise_even_if_the_clock_steps_back() {
    let mut room = Fixture::start().await;
    let first = room.at(50 * MINUTE).join("kim/1").await.unwrap();
    room.at(60 * MINUTE).sweep().await;
    let second = room.at(10 * MINUTE).join("kim/2").await.unwrap();
    assert!(second.epoch > first.epoch);
}

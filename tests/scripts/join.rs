use rollcall_protocol::{
    ErrorCode,
    definition::{SessionDefinition, StoredDefinition},
};
use serde_json::json;

use crate::fixture::{END, Fixture, MINUTE, START, definition, member_ids, user_ids};

#[tokio::test]
async fn the_first_to_enter_starts_the_session() {
    let mut room = Fixture::start().await;
    let joined = room.join("kim/1").await.unwrap();
    assert!(joined.first);
    assert_eq!((joined.end_at, joined.remain_ms), (END, END - START));
    assert_eq!(joined.seq, 0, "room:started comes after the ack");

    let events = room.events().await;
    assert_eq!(events.len(), 1);
    let started = &events[0];
    assert_eq!((started.name.as_str(), started.seq, started.epoch), ("room:started", 1, joined.epoch));
    assert_eq!(started.except, None, "the first member gets it as well");
    assert_eq!(started.data["endAt"], END);
    assert_eq!(user_ids(&started.data["members"]), ["kim"]);
}

#[tokio::test]
async fn later_members_are_announced_to_everybody_but_themselves() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.events().await;

    let joined = room.at(5).join("ben/1").await.unwrap();
    assert!(!joined.first);
    assert_eq!(member_ids(&joined), ["kim", "ben"]);

    let events = room.events().await;
    assert_eq!(events.len(), 1);
    let changed = &events[0];
    assert_eq!(changed.name, "room:participantsChanged");
    assert_eq!(changed.except.as_deref(), Some("ben/1"));
    assert_eq!(changed.seq, joined.seq, "the ack includes it");
    assert_eq!(changed.data["count"], 2);
    assert_eq!(
        changed.data["change"],
        json!({"type": "entered", "users": [{"userId": "ben", "userName": "BEN"}]})
    );
    assert_eq!(
        changed.data["members"][1],
        json!({"userId": "ben", "userName": "BEN", "joinedAt": START + 5, "state": "present"})
    );
}

#[tokio::test]
async fn members_are_listed_in_the_order_in_which_they_came() {
    let mut room = Fixture::start().await;
    for (ms, name) in ["zoe/1", "ann/1", "kim/1", "ben/1"].into_iter().enumerate() {
        room.at(ms as u64).join(name).await.unwrap();
    }
    assert_eq!(member_ids(&room.join("ben/1").await.unwrap()), ["zoe", "ann", "kim", "ben"]);
}

#[tokio::test]
async fn a_second_connection_is_refused() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.events().await;
    assert_eq!(room.join("kim/2").await.unwrap_err(), ErrorCode::AlreadyJoined);
    assert_eq!(room.event_names().await, [""; 0]);
}

#[tokio::test]
async fn a_join_delivered_twice_has_no_second_effect_and_its_ack_shows_the_room_by_then() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    let first = room.join("ben/1").await.unwrap();
    room.join("lea/1").await.unwrap();
    let last = room.events().await.pop().unwrap();

    let again = room.join("ben/1").await.unwrap();
    assert_eq!((again.first, again.recovered, again.count), (first.first, first.recovered, 3));
    assert_eq!((again.epoch, again.seq), (last.epoch, last.seq), "the ack includes the room's last event");
    assert_eq!(room.event_names().await, [""; 0]);
}

#[tokio::test]
async fn a_join_delivered_twice_that_starts_the_session_is_still_followed_by_room_started() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    let again = room.join("kim/1").await.unwrap();
    assert_eq!((again.first, again.seq, again.count), (true, 0, 1));
    assert_eq!(room.event_names().await, ["room:started"]);

    room.join("ben/1").await.unwrap();
    let late = room.join("kim/1").await.unwrap();
    assert_eq!((late.first, late.seq, late.count), (true, 2, 2), "the ack is newer than the event");
}

#[tokio::test]
async fn a_copy_of_a_join_that_comes_after_the_leave_does_not_enter_again() {
    let mut room = Fixture::start().await;
    room.join("ben/1").await.unwrap();
    room.join("kim/1").await.unwrap();
    room.leave("kim/1").await;
    room.events().await;
    assert_eq!(room.at(9 * MINUTE).join("kim/1").await.unwrap_err(), ErrorCode::EntryClosed);
    assert_eq!(room.event_names().await, [""; 0]);
}

#[tokio::test]
async fn coming_back_within_the_grace_period_recovers_the_membership() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.at(5).join("ben/1").await.unwrap();
    room.at(10).disconnect("kim/1").await;
    room.events().await;

    let joined = room.at(30_009).join("kim/2").await.unwrap();
    assert!(joined.recovered && !joined.first);
    assert_eq!(member_ids(&joined), ["kim", "ben"], "kim is still first in the list");

    let events = room.events().await;
    assert_eq!(events.len(), 1);
    let back = &events[0];
    assert_eq!(back.name, "room:participantReconnected");
    assert_eq!((back.except.as_deref(), back.seq), (Some("kim/2"), joined.seq));
    assert_eq!(
        back.data["members"][0],
        json!({"userId": "kim", "userName": "KIM", "joinedAt": START, "state": "present"})
    );
}

#[tokio::test]
async fn coming_back_after_the_grace_period_is_a_new_entry_even_if_nobody_swept() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.join("ben/1").await.unwrap();
    room.disconnect("kim/1").await;
    room.events().await;

    let joined = room.at(30_000).join("kim/2").await.unwrap();
    assert!(!joined.recovered);
    assert_eq!(member_ids(&joined), ["ben", "kim"]);
    let events = room.events().await;
    let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["room:participantsChanged", "room:hostChanged", "room:participantsChanged"]);
    assert_eq!(events[0].data["change"]["type"], "graceExpired");
    assert_eq!(events[1].data["hostId"], "ben");
    assert_eq!(events[2].data["change"]["type"], "entered");
}

#[tokio::test]
async fn rooms_without_a_session_and_users_who_are_not_listed_are_refused() {
    let room = Fixture::start().await;
    let members = Some(vec!["kim".parse().unwrap()]);
    room.store(Some(StoredDefinition {
        revision: 1,
        definition: SessionDefinition { members, ..definition() },
    }));
    assert_eq!(room.join("mallory/1").await.unwrap_err(), ErrorCode::NotAMember);
    room.join("kim/1").await.unwrap();
    room.join("lea/1").await.unwrap();
    assert_eq!(room.join("mallory/1").await.unwrap_err(), ErrorCode::NotAMember, "also while it is live");
    room.undefine().await;
    assert_eq!(room.join("kim/2").await.unwrap_err(), ErrorCode::NoSuchRoom);
}

#[tokio::test]
async fn a_session_that_is_over_is_refused() {
    let mut room = Fixture::start().await;
    room.at(60 * MINUTE);
    assert_eq!(room.join("kim/1").await.unwrap_err(), ErrorCode::SessionEnded);
    assert_eq!(room.keys().await, [""; 0], "a refusal leaves nothing behind");
}

#[tokio::test]
async fn the_leader_is_host_while_in_the_room() {
    let mut room = Fixture::start().await;
    assert_eq!(room.join("kim/1").await.unwrap().host_id.as_str(), "kim");
    room.at(1).join("ben/1").await.unwrap();
    room.events().await;

    let joined = room.at(2).join("lea/1").await.unwrap();
    assert_eq!(joined.host_id.as_str(), "lea");
    let events = room.events().await;
    assert_eq!(events[1].name, "room:hostChanged");
    assert_eq!(events[1].data["hostId"], "lea");
    assert_eq!(events[1].seq, joined.seq + 1, "the new host gets it too");

    room.leave("lea/1").await;
    let events = room.events().await;
    assert_eq!(events[1].data["hostId"], "kim", "the member who entered first");
}

#[tokio::test]
async fn above_the_roster_limit_only_the_change_is_sent() {
    let mut room = Fixture::start().await;
    room.settings.roster_limit = 2;
    room.join("kim/1").await.unwrap();
    room.join("ben/1").await.unwrap();
    room.events().await;

    let joined = room.join("ann/1").await.unwrap();
    assert!(joined.members.is_none());
    assert_eq!(joined.count, 3);
    let events = room.events().await;
    assert_eq!(events[0].data.get("members"), None);
    assert_eq!(events[0].data["count"], 3);
    assert_eq!(events[0].data["change"]["users"][0]["userId"], "ann");
}

#[tokio::test]
async fn the_first_event_has_the_list_unless_one_member_is_above_the_roster_limit() {
    for (roster_limit, is_listed) in [(1, true), (0, false)] {
        let mut room = Fixture::start().await;
        room.settings.roster_limit = roster_limit;
        let joined = room.join("kim/1").await.unwrap();
        assert_eq!(joined.members.is_some(), is_listed);
        assert_eq!(room.events().await[0].data.get("members").is_some(), is_listed);
    }
}

#[tokio::test]
async fn names_with_every_kind_of_character_arrive_as_they_are() {
    let mut room = Fixture::start().await;
    for name in [r#"quo"te\"#, "emoji-🦉", "slash/1", "{brace}:colon", "%d%s"] {
        room.join(name).await.unwrap();
        room.disconnect(name).await;
    }
    let events = room.events().await;
    assert_eq!(events.last().unwrap().data["userId"], "%d%s");
    let last = room.join("ann/1").await.unwrap();
    assert_eq!(last.count, 6);
}

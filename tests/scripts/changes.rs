//! Changes of the definition while the session is live.

use rollcall_protocol::{
    ErrorCode, RoomId,
    definition::{SessionDefinition, StoredDefinition},
};
use rollcall_rooms::{
    Error,
    definitions::{DefinitionStore, Precondition},
};
use serde_json::json;

use crate::fixture::{END, Fixture, MINUTE, START, definition, user_ids};

async fn live_room() -> Fixture {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.join("ben/1").await.unwrap();
    room.events().await;
    room
}

#[tokio::test]
async fn moving_the_end_moves_the_deadlines_and_is_published() {
    let mut room = live_room().await;
    for (end_at, reminder_in) in [(END + 30 * MINUTE, 80 * MINUTE), (END - 30 * MINUTE, 20 * MINUTE)] {
        room.define(SessionDefinition { end_at, ..definition() }).await;
        let events = room.events().await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].name, "room:rescheduled");
        assert_eq!(
            (&events[0].data["endAt"], &events[0].data["remainMs"]),
            (&end_at.into(), &(end_at - START).into())
        );
        assert_eq!(room.sweep().await.due_in_ms, Some(reminder_in));
    }
    room.at(20 * MINUTE).sweep().await;
    room.at(30 * MINUTE).sweep().await;
    assert_eq!(room.event_names().await, ["room:reminder", "room:ended"]);
}

#[tokio::test]
async fn an_end_that_is_moved_away_again_has_a_reminder_of_its_own() {
    let mut room = live_room().await;
    room.at(50 * MINUTE).sweep().await;
    room.define(SessionDefinition { end_at: END + 60 * MINUTE, ..definition() }).await;
    room.at(110 * MINUTE).sweep().await;
    assert_eq!(room.event_names().await, ["room:reminder", "room:rescheduled", "room:reminder"]);
}

#[tokio::test]
async fn an_end_that_is_moved_into_the_lead_has_no_reminder() {
    let mut room = live_room().await;
    room.define(SessionDefinition { end_at: START + 9 * MINUTE, ..definition() }).await;
    room.at(9 * MINUTE).sweep().await;
    assert_eq!(room.event_names().await, ["room:rescheduled", "room:ended"]);
}

#[tokio::test]
async fn an_end_that_is_moved_into_the_lead_takes_the_earlier_reminder_away() {
    let mut room = live_room().await;
    room.at(46 * MINUTE).define(SessionDefinition { end_at: START + 55 * MINUTE, ..definition() }).await;
    assert_eq!(room.event_names().await, ["room:rescheduled"]);
    assert_eq!(room.sweep().await.due_in_ms, Some(9 * MINUTE));
    room.at(50 * MINUTE).sweep().await;
    room.read(&[]).await;
    assert_eq!(room.event_names().await, [""; 0]);
}

#[tokio::test]
async fn an_end_that_is_now_ends_the_session_and_one_a_millisecond_later_does_not() {
    let mut room = live_room().await;
    room.at(5).define(SessionDefinition { end_at: START + 6, ..definition() }).await;
    assert_eq!(room.event_names().await, ["room:rescheduled"]);
    room.define(SessionDefinition { end_at: START + 5, ..definition() }).await;
    let events = room.events().await;
    assert_eq!((events[0].name.as_str(), &events[0].data["reason"]), ("room:ended", &json!("ended")));
    assert_eq!(room.join("kim/2").await.unwrap_err(), ErrorCode::SessionEnded);
}

#[tokio::test]
async fn an_end_in_the_past_ends_the_session_now() {
    let mut room = live_room().await;
    room.at(5).define(SessionDefinition { end_at: START, ..definition() }).await;
    let events = room.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].name.as_str(), &events[0].data["reason"]), ("room:ended", &json!("ended")));
    assert_eq!(room.join("kim/2").await.unwrap_err(), ErrorCode::SessionEnded);
}

#[tokio::test]
async fn a_session_without_a_definition_ends_once() {
    let mut room = live_room().await;
    room.undefine().await;
    room.undefine().await;
    let events = room.events().await;
    assert_eq!(events.len(), 1);
    assert!(events[0].closes);
}

#[tokio::test]
async fn every_key_of_a_room_lives_as_long_as_the_new_end_says() {
    let mut room = live_room().await;
    let end_at = END + 600 * MINUTE;
    room.define(SessionDefinition { end_at, ..definition() }).await;
    for kind in ["room", "members", "entries", "order", "nodes"] {
        let key = format!("rollcall:{{{}}}:{kind}:algebra", room.shard());
        let expires: u64 = redis::cmd("PEXPIRETIME").arg(&key).query_async(&mut room.redis).await.unwrap();
        assert_eq!(expires, end_at + room.settings.retention_ms, "{key}");
    }
}

#[tokio::test]
async fn a_new_leader_who_is_there_becomes_host() {
    let mut room = live_room().await;
    room.define(SessionDefinition { leader_id: Some("ben".parse().unwrap()), ..definition() }).await;
    let events = room.events().await;
    let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["room:leaderChanged", "room:hostChanged"]);
    assert_eq!((&events[0].data["leaderId"], &events[1].data["hostId"]), (&json!("ben"), &json!("ben")));
}

#[tokio::test]
async fn a_member_who_is_no_longer_listed_is_removed_and_cannot_come_back() {
    let mut room = live_room().await;
    let members = Some(vec!["ben".parse().unwrap(), "ann".parse().unwrap()]);
    room.define(SessionDefinition { members, ..definition() }).await;
    let events = room.events().await;
    let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["room:removed", "room:participantsChanged", "room:hostChanged"]);
    assert_eq!((events[0].only.as_deref(), events[0].closes), (Some("kim/1"), true));
    assert_eq!(events[1].data["change"]["type"], "removed");
    assert_eq!(user_ids(&events[1].data["members"]), ["ben"]);
    assert_eq!(room.join("kim/2").await.unwrap_err(), ErrorCode::NotAMember);
    room.disconnect("kim/1").await;
    assert_eq!(room.event_names().await, [""; 0]);
}

#[tokio::test]
async fn an_unlisted_member_within_the_grace_period_is_removed_as_well() {
    let mut room = live_room().await;
    room.disconnect("kim/1").await;
    room.define(SessionDefinition { members: Some(vec!["ben".parse().unwrap()]), ..definition() }).await;
    room.events().await;
    room.at(30_000).sweep().await;
    assert_eq!(room.event_names().await, [""; 0], "the grace period is over too");
}

#[tokio::test]
async fn a_full_room_refuses_everybody_but_its_members_and_the_leader() {
    let room = live_room().await;
    room.define(SessionDefinition { capacity: Some(2), ..definition() }).await;
    assert_eq!(room.join("ann/1").await.unwrap_err(), ErrorCode::RoomFull);
    room.disconnect("kim/1").await;
    assert_eq!(room.join("ann/2").await.unwrap_err(), ErrorCode::RoomFull, "kim still counts");
    assert!(room.join("kim/2").await.unwrap().recovered);
    room.join("lea/1").await.unwrap();
    room.leave("ben/1").await;
    room.leave("kim/2").await;
    room.join("ann/3").await.unwrap();
}

#[tokio::test]
async fn a_capacity_below_the_member_count_removes_nobody() {
    let mut room = live_room().await;
    room.define(SessionDefinition { capacity: Some(1), ..definition() }).await;
    assert_eq!(room.event_names().await, [""; 0]);
    room.leave("ben/1").await;
    assert_eq!(room.join("ann/1").await.unwrap_err(), ErrorCode::RoomFull);
}

#[tokio::test]
async fn two_changes_at_once_are_kept_apart_and_a_caller_that_died_does_not_lock_for_ever() {
    let mut room = live_room().await;
    room.rooms().define(&BrokenStore, &"algebra".parse().unwrap(), definition()).await.unwrap_err();
    assert_eq!(room.try_define(definition()).await.unwrap_err(), ErrorCode::Conflict);
    let key = format!("rollcall:{{{}}}:revising:algebra", room.shard());
    let expires: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut room.redis).await.unwrap();
    assert!((1..=5000).contains(&expires), "{expires}");
    let () = redis::cmd("DEL").arg(&key).query_async(&mut room.redis).await.unwrap();

    let first = room.try_define(definition()).await.unwrap();
    assert!(
        room.try_define(definition()).await.unwrap() > first,
        "a change that is through lets others begin"
    );
    room.undefine().await;
    room.undefine().await;
    assert!(room.try_define(definition()).await.is_ok());
}

#[tokio::test]
async fn the_older_of_two_revisions_changes_nothing_if_it_is_applied_last() {
    let mut room = live_room().await;
    let older = SessionDefinition { end_at: END + MINUTE, ..definition() };
    let (first, _) =
        room.rooms().define(&SlowStore(&room), &"algebra".parse().unwrap(), older).await.unwrap();
    let events = room.events().await;
    assert_eq!(events.len(), 1, "only the newer one");
    assert_eq!((events[0].name.as_str(), &events[0].data["endAt"]), ("room:rescheduled", &json!(SLOW_END)));
    let state: serde_json::Value = serde_json::from_str(room.read(&[]).await.room.unwrap().get()).unwrap();
    assert_eq!(state["endAt"], SLOW_END);
    assert!(room.try_define(definition()).await.unwrap() > first.revision);
}

#[tokio::test]
async fn a_change_gets_the_time_of_the_shard_and_a_revision_that_is_not_older() {
    let mut room = live_room().await;
    let mut given = None;
    room.at(7);
    let change = |found: Option<SessionDefinition>, now| {
        given = Some(now);
        Ok(found.unwrap())
    };
    let changed =
        room.rooms().change(&&room, &"algebra".parse().unwrap(), &Precondition::default(), change).await;
    assert_eq!(changed.unwrap().0.revision, START + 7);
    assert_eq!(given, Some(START + 7));
}

#[tokio::test]
async fn a_change_that_breaks_off_locks_for_five_seconds() {
    let room = live_room().await;
    let before = room.redis_time().await;
    room.rooms().define(&BrokenStore, &"algebra".parse().unwrap(), definition()).await.unwrap_err();
    let after = room.redis_time().await;
    let expires = u64::try_from(room.expiry("revising:algebra").await).unwrap();
    assert!((before + 5000..=after + 5000).contains(&expires), "{expires}");
}

fn if_match(tags: &str) -> Precondition {
    Precondition::parse([tags.as_bytes()], []).unwrap()
}

#[tokio::test]
async fn a_change_that_is_meant_for_another_definition_is_refused_and_locks_nobody_out() {
    let room = live_room().await;
    let first = room.try_define(definition()).await.unwrap();
    let (anything, something) = (Precondition::default(), if_match("*"));
    let is_first = if_match(&format!("\"{first}\""));
    let nothing = Precondition::parse([], [b"*".as_slice()]).unwrap();
    let second = room.move_end(&is_first, END + MINUTE).await.unwrap();
    for precondition in [&is_first, &nothing] {
        let refused = room.move_end(precondition, END + 2 * MINUTE).await;
        assert_eq!(refused.unwrap_err(), ErrorCode::PreconditionFailed);
    }
    room.move_end(&something, END + 3 * MINUTE).await.unwrap();
    assert!(room.move_end(&anything, END).await.unwrap() > second);
    room.undefine().await;
    assert_eq!(room.move_end(&something, END).await.unwrap_err(), ErrorCode::PreconditionFailed);
    assert_eq!(room.move_end(&anything, END).await.unwrap_err(), ErrorCode::NoSuchRoom);
    assert_eq!(room.move_end(&is_first.for_existing(), END).await.unwrap_err(), ErrorCode::NoSuchRoom);
}

const SLOW_END: u64 = END + 2 * MINUTE;

/// A store so slow that the lock of a change expires meanwhile, and another change moves the end to [`SLOW_END`].
struct SlowStore<'a>(&'a Fixture);

impl DefinitionStore for SlowStore<'_> {
    async fn get(&self, room: &RoomId) -> Result<Option<StoredDefinition>, Error> {
        self.0.get(room).await
    }

    async fn put(&self, room: &RoomId, session: &StoredDefinition) -> Result<(), Error> {
        let mut unlock = redis::cmd("DEL");
        unlock.arg(self.0.shard_key("revising:algebra"));
        let () = unlock.query_async(&mut self.0.redis.clone()).await.unwrap();
        self.0.define(SessionDefinition { end_at: SLOW_END, ..definition() }).await;
        self.0.put(room, session).await
    }

    async fn delete(&self, room: &RoomId) -> Result<(), Error> {
        self.0.delete(room).await
    }
}

/// A store that fails in the middle of a change.
struct BrokenStore;

impl DefinitionStore for BrokenStore {
    async fn get(&self, _: &RoomId) -> Result<Option<StoredDefinition>, Error> {
        Ok(None)
    }

    async fn put(&self, _: &RoomId, _: &StoredDefinition) -> Result<(), Error> {
        Err(Error::Unavailable("broken".into()))
    }

    async fn delete(&self, _: &RoomId) -> Result<(), Error> {
        Err(Error::Unavailable("broken".into()))
    }
}

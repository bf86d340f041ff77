//! Changes of a definition that break off between the store and the room, and joins that meet a change under way.

use std::cell::Cell;

use rollcall_protocol::{
    ErrorCode, RoomId, UserId,
    definition::{SessionDefinition, StoredDefinition},
};
use rollcall_rooms::{
    Error,
    definitions::{DefinitionSource, DefinitionStore, Precondition},
};

use crate::fixture::{END, Fixture, MINUTE, START, definition, expect_refusal};

/// A store to which the writes of a caller come, or do not come, before the caller dies.
struct Dying<'a> {
    room: &'a Fixture,
    is_written: bool,
}

fn died<T>() -> Result<T, Error> {
    Err(Error::Unavailable("the caller died".to_owned()))
}

impl DefinitionStore for Dying<'_> {
    async fn get(&self, room: &RoomId) -> Result<Option<StoredDefinition>, Error> {
        self.room.get(room).await
    }

    async fn put(&self, room: &RoomId, stored: &StoredDefinition) -> Result<(), Error> {
        if self.is_written {
            self.room.put(room, stored).await?;
        }
        died()
    }

    async fn delete(&self, room: &RoomId) -> Result<(), Error> {
        if self.is_written {
            self.room.delete(room).await?;
        }
        died()
    }
}

/// A source that is read, and does something before the definition reaches the caller.
struct Slow<'a, F> {
    room: &'a Fixture,
    reads: Cell<usize>,
    act: F,
}

impl<'a, F: AsyncFn()> Slow<'a, F> {
    fn new(room: &'a Fixture, act: F) -> Self {
        Self { room, reads: Cell::new(0), act }
    }
}

impl<F: AsyncFn()> DefinitionSource for Slow<'_, F> {
    const HAS_REVISIONS: bool = true;

    async fn find(&self, room: &RoomId, user: &UserId) -> Result<Option<StoredDefinition>, Error> {
        let found = self.room.find(room, user).await;
        if self.reads.replace(self.reads.get() + 1) == 0 {
            (self.act)().await;
        }
        found
    }
}

async fn live_room() -> Fixture {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.join("ben/1").await.unwrap();
    room.events().await;
    room
}

fn ending(end_at: u64) -> SessionDefinition {
    SessionDefinition { end_at, ..definition() }
}

async fn define_and_die(room: &Fixture, definition: SessionDefinition, is_written: bool) {
    let dying = Dying { room, is_written };
    room.rooms().define(&dying, &"algebra".parse().unwrap(), definition).await.unwrap_err();
    unlock(room).await;
}

async fn undefine_and_die(room: &Fixture, is_written: bool) {
    let dying = Dying { room, is_written };
    let precondition = Precondition::default();
    room.rooms().undefine(&dying, &"algebra".parse().unwrap(), &precondition).await.unwrap_err();
    unlock(room).await;
}

/// The last change that has been announced to the room.
async fn announced(room: &Fixture) -> u64 {
    let mut get = redis::cmd("GET");
    get.arg(room.shard_key("announced:algebra")).query_async(&mut room.redis.clone()).await.unwrap()
}

/// Frees the lock of a change, which Redis would expire after some seconds.
async fn unlock(room: &Fixture) {
    let mut unlock = redis::cmd("DEL");
    let () =
        unlock.arg(room.shard_key("revising:algebra")).query_async(&mut room.redis.clone()).await.unwrap();
}

#[tokio::test]
async fn the_next_join_completes_a_change_that_reached_the_store_only() {
    let mut room = live_room().await;
    let members = Some(vec!["kim".parse().unwrap()]);
    define_and_die(&room, SessionDefinition { members, ..ending(END + MINUTE) }, true).await;
    assert_eq!(room.event_names().await, [""; 0]);
    let count = room.count(async || assert_eq!(room.join("lea/1").await.unwrap().end_at, END + MINUTE)).await;
    assert_eq!(count, (3, 1), "scripts and reads");
    let names = room.event_names().await;
    assert_eq!(
        names[..3],
        ["room:removed", "room:participantsChanged", "room:rescheduled"],
        "ben: {names:?}"
    );
    assert_eq!(room.join("ben/2").await.unwrap_err(), ErrorCode::NotAMember);
    assert_eq!(room.count(async || drop(room.join("kim/1").await.unwrap())).await, (1, 0), "complete");
}

#[tokio::test]
async fn a_join_that_is_refused_completes_the_change_as_well() {
    let mut room = live_room().await;
    let members = Some(vec!["kim".parse().unwrap()]);
    define_and_die(&room, SessionDefinition { members, ..definition() }, true).await;
    assert_eq!(room.join("ann/1").await.unwrap_err(), ErrorCode::NotAMember);
    assert_eq!(room.event_names().await, ["room:removed", "room:participantsChanged"]);
}

#[tokio::test]
async fn the_next_join_completes_a_deletion() {
    let mut room = live_room().await;
    undefine_and_die(&room, true).await;
    assert_eq!(room.event_names().await, [""; 0]);
    assert_eq!(room.join("kim/1").await.unwrap_err(), ErrorCode::NoSuchRoom);
    assert_eq!(room.event_names().await, ["room:ended"]);
}

#[tokio::test]
async fn a_deletion_that_breaks_off_before_the_store_deletes_nothing() {
    let mut room = live_room().await;
    undefine_and_die(&room, false).await;
    room.join("lea/1").await.unwrap();
    assert_eq!(room.event_names().await, ["room:participantsChanged", "room:hostChanged"]);
}

#[tokio::test]
async fn a_change_that_may_still_reach_the_store_is_looked_for_at_each_join_for_twenty_minutes() {
    let mut room = live_room().await;
    define_and_die(&room, ending(END + MINUTE), false).await;
    let last_look = announced(&room).await - START + 2 * room.settings.closed_entry_ms;
    for ms in [0, last_look - 1, last_look] {
        room.run_until(ms).await;
        let count = room.count(async || assert_eq!(room.join("kim/1").await.unwrap().end_at, END)).await;
        assert_eq!(count, (3, 1), "scripts and reads after {ms} ms");
    }
    assert_eq!(room.count(async || drop(room.join("kim/1").await.unwrap())).await, (1, 0));
}

#[tokio::test]
async fn a_change_stays_announced_for_twenty_minutes() {
    let room = Fixture::start().await;
    let before = room.redis_time().await;
    room.define(definition()).await;
    let after = room.redis_time().await;
    let expires = u64::try_from(room.expiry("announced:algebra").await).unwrap();
    assert!((before + 20 * MINUTE..=after + 20 * MINUTE).contains(&expires), "{expires}");
}

#[tokio::test]
async fn a_change_that_reaches_the_store_late_is_found() {
    let room = live_room().await;
    define_and_die(&room, ending(END + MINUTE), false).await;
    assert_eq!(room.join("kim/1").await.unwrap().end_at, END);
    let revision = announced(&room).await;
    room.store(Some(StoredDefinition { revision, definition: ending(END + MINUTE) }));
    assert_eq!(room.join("kim/1").await.unwrap().end_at, END + MINUTE);
    assert_eq!(room.count(async || drop(room.join("kim/1").await.unwrap())).await, (1, 0));
}

#[tokio::test]
async fn a_join_waits_for_the_store_only_while_a_change_is_announced() {
    let room = live_room().await;
    define_and_die(&room, ending(END + MINUTE), true).await;
    room.set_store_away(true);
    assert_eq!(room.try_join("kim/1").await.unwrap_err().into_refusal().code, ErrorCode::Unavailable);
    room.set_store_away(false);
    room.join("kim/1").await.unwrap();
    room.set_store_away(true);
    room.join("kim/1").await.unwrap();
}

#[tokio::test]
async fn a_later_change_makes_an_earlier_one_that_broke_off_forgotten() {
    let mut room = live_room().await;
    define_and_die(&room, ending(END + MINUTE), true).await;
    room.at(1).define(ending(END + 2 * MINUTE)).await;
    let count = room.count(async || assert_eq!(room.join("kim/1").await.unwrap().end_at, END + 2 * MINUTE));
    assert_eq!(count.await, (1, 0));
}

#[tokio::test]
async fn a_change_that_is_refused_or_cannot_read_the_store_is_not_announced() {
    let room = live_room().await;
    let nothing = Precondition::parse([], [b"*".as_slice()]).unwrap();
    assert_eq!(room.move_end(&nothing, END).await.unwrap_err(), ErrorCode::PreconditionFailed);
    room.set_store_away(true);
    room.try_change().await.unwrap_err();
    unlock(&room).await;
    room.try_undefine().await.unwrap_err();
    assert_eq!(room.count(async || drop(room.join("kim/1").await.unwrap())).await, (1, 0));
}

#[tokio::test]
async fn a_session_does_not_start_with_a_definition_that_a_change_has_replaced() {
    let mut room = Fixture::start().await;
    room.events().await;
    let slow = Slow::new(&room, async || room.define(ending(END + MINUTE)).await);
    assert_eq!(room.join_from(&slow, "kim/1").await.unwrap().end_at, END + MINUTE);
    assert_eq!(slow.reads.get(), 2);
    assert_eq!(room.count(async || drop(room.join("ben/1").await.unwrap())).await, (1, 0));
    room.undefine().await;
    room.define(definition()).await;
    let slow = Slow::new(&room, async || room.undefine().await);
    let refused = room.join_from(&slow, "kim/2").await.unwrap_err();
    assert_eq!(expect_refusal(refused), ErrorCode::NoSuchRoom);
}

#[tokio::test]
async fn a_change_that_breaks_off_before_the_session_starts_is_found_by_the_second_join() {
    let room = Fixture::start().await;
    define_and_die(&room, ending(END + MINUTE), false).await;
    assert_eq!(room.join("kim/1").await.unwrap().end_at, END);
    room.store(Some(StoredDefinition { revision: START, definition: ending(END + MINUTE) }));
    assert_eq!(room.join("ben/1").await.unwrap().end_at, END + MINUTE);
}

#[tokio::test]
async fn a_join_that_meets_a_change_under_way_does_not_end_or_unlock_it() {
    let mut room = live_room().await;
    // The deletion has reached the store. Before the join hears of it, the session is defined anew.
    undefine_and_die(&room, true).await;
    let slow = Slow::new(&room, async || room.define(ending(END + MINUTE)).await);
    let refused = room.join_from(&slow, "lea/1").await.unwrap_err();
    assert_eq!(expect_refusal(refused), ErrorCode::NoSuchRoom, "as it was when the join looked");
    assert_eq!(room.event_names().await, ["room:rescheduled"]);
    assert_eq!(room.join("lea/1").await.unwrap().end_at, END + MINUTE);

    define_and_die(&room, ending(END), true).await;
    let slow = Slow::new(&room, async || {
        let (dying, algebra) = (Dying { room: &room, is_written: false }, "algebra".parse().unwrap());
        room.rooms().define(&dying, &algebra, ending(END + 3 * MINUTE)).await.unwrap_err();
    });
    room.join_from(&slow, "kim/1").await.unwrap();
    let refused = room.try_define(definition()).await.unwrap_err();
    assert_eq!(refused, ErrorCode::Conflict, "the lock is still that of the other change");
}

/// A store so slow that the lock of the change expires before the change has read the definition.
struct Unlocking<'a>(&'a Fixture);

impl DefinitionStore for Unlocking<'_> {
    async fn get(&self, room: &RoomId) -> Result<Option<StoredDefinition>, Error> {
        unlock(self.0).await;
        self.0.get(room).await
    }

    async fn put(&self, _: &RoomId, _: &StoredDefinition) -> Result<(), Error> {
        panic!("another change may have begun")
    }

    async fn delete(&self, _: &RoomId) -> Result<(), Error> {
        panic!("another change may have begun")
    }
}

#[tokio::test]
async fn a_change_whose_lock_expires_before_it_reaches_the_store_gives_up() {
    let room = live_room().await;
    let (store, algebra) = (Unlocking(&room), "algebra".parse().unwrap());
    let refused = room.rooms().define(&store, &algebra, definition()).await.unwrap_err();
    assert_eq!(expect_refusal(refused), ErrorCode::Conflict);
    let refused = room.rooms().undefine(&store, &algebra, &Precondition::default()).await.unwrap_err();
    assert_eq!(expect_refusal(refused), ErrorCode::Conflict);
    assert_eq!(room.count(async || drop(room.join("kim/1").await.unwrap())).await, (1, 0));
}

//! More shards while sessions go on: rooms that are live stay where they are, and later sessions start in the new shards.

use rollcall_protocol::{
    ErrorCode, RoomId,
    api::Notice,
    attendance::Ending,
    chat::HistoryRequest,
    definition::{SessionDefinition, StoredDefinition},
    status::Status,
    timer::{TimerAction, TimerPlan},
};
use rollcall_rooms::{
    Error,
    definitions::{DefinitionStore, Precondition},
    shard::Layout,
};

use serde_json::Value;

use crate::document::first_update;
use crate::fixture::{END, Fixture, MINUTE, START, definition, expect_refusal, heartbeat, member_ids};

const FEW: u64 = 3;
const MANY: u64 = 8;
const LEASE_MS: u64 = 15_000;

/// Instances of the app that know only of the few shards.
fn before() -> Layout {
    FEW.into()
}

/// Instances that know of the change.
fn during() -> Layout {
    format!("{FEW}-{MANY}").parse().unwrap()
}

/// Instances after the change.
fn after() -> Layout {
    MANY.into()
}

/// A room that lies in one shard before the change and in one of the new shards after the change.
async fn start() -> Fixture {
    let moves = |id: &RoomId| after().shard_of(id) >= FEW;
    let mut room =
        Fixture::start_in((0..).map(|n| format!("room-{n}").parse().unwrap()).find(moves).unwrap()).await;
    room.settings.shards = before();
    room
}

/// Whether the room is live in the shard of this layout.
async fn is_live_in(room: &Fixture, layout: Layout) -> bool {
    let key = room.settings.keyspace.key(layout.shard_of(&room.home), format_args!("room:{}", room.home));
    redis::cmd("EXISTS").arg(key).query_async(&mut room.redis.clone()).await.unwrap()
}

/// The room as a bridge reads it.
async fn read(room: &Fixture) -> Value {
    room.read(&[]).await.room.map(|json| serde_json::from_str(json.get()).unwrap()).unwrap_or_default()
}

#[tokio::test]
async fn a_live_room_stays_until_its_end_and_the_next_session_starts_in_the_new_shard() {
    let mut room = start().await;
    room.join("lea/1").await.unwrap();
    room.settings.shards = during();
    assert_eq!(member_ids(&room.join("kim/1").await.unwrap()), ["lea", "kim"]);
    assert_eq!(room.read(&["lea/1", "kim/1", "ben/1"]).await.gone.len(), 1);
    room.disconnect("kim/1").await;
    assert!(room.resume("kim/2", "kim/1").await.unwrap().recovered);
    room.leave("kim/2").await;
    assert!(is_live_in(&room, before()).await && !is_live_in(&room, after()).await);

    room.at(60 * MINUTE).store_end(END + 60 * MINUTE);
    assert_eq!(member_ids(&room.join("ben/1").await.unwrap()), ["ben"]);
    assert!(!is_live_in(&room, before()).await && is_live_in(&room, after()).await);
    for layout in [before(), after()] {
        room.settings.shards = layout;
        assert_eq!(read(&room).await["count"], 1, "{layout}");
    }
}

#[tokio::test]
async fn all_instances_find_a_room_whichever_starts_the_session() {
    for starts in [before(), during()] {
        let mut room = start().await;
        room.settings.shards = starts;
        room.join("lea/1").await.unwrap();
        for (user, layout) in [("kim", before()), ("ben", during()), ("ali", before())] {
            room.settings.shards = layout;
            room.join(&format!("{user}/1")).await.unwrap();
            assert!(room.read(&[&format!("{user}/1")]).await.gone.is_empty(), "{user}");
        }
        assert_eq!(
            read(&room).await["count"],
            4,
            "one room for all, started by an instance with {starts} shards"
        );
        for (user, layout) in [("lea", before()), ("kim", during()), ("ben", before()), ("ali", during())] {
            room.settings.shards = layout;
            room.leave(&format!("{user}/1")).await;
        }
        assert_eq!(read(&room).await["count"], 0);
    }
}

#[tokio::test]
async fn operators_reach_a_room_wherever_it_lies() {
    for (starts, calls) in [(before(), during()), (during(), before())] {
        let mut room = start().await;
        room.settings.shards = starts;
        room.join("lea/1").await.unwrap();
        room.join("kim/1").await.unwrap();
        room.settings.shards = calls;
        let rooms = room.rooms();
        let stranger = rooms.kick(&room.home, &"zoe".parse().unwrap()).await;
        assert_eq!(stranger.map_err(expect_refusal).unwrap_err(), ErrorCode::NoSuchMember);
        rooms.members(&room.home, None, 10).await.unwrap();
        rooms.notify(&room.home, &Notice { text: "x".to_owned() }).await.unwrap();
        rooms.kick(&room.home, &"kim".parse().unwrap()).await.unwrap();
        let listed = rooms.list(None, 10).await.unwrap().rooms;
        assert_eq!(listed.iter().map(|live| (&live.id, live.count)).collect::<Vec<_>>(), [(&room.home, 1)]);
        room.define_end(END + MINUTE).await;
        assert_eq!(read(&room).await["endAt"], END + MINUTE);
        room.at(MINUTE).undefine().await;
        let attendance = room.attendance().await.attendees;
        assert_eq!(attendance.len(), 2);
        assert_eq!(attendance[1].stays[0].ending, Some(Ending::Ended));
        assert!(room.read(&[]).await.room.is_none());
    }
}

#[tokio::test]
async fn attendance_shows_the_sessions_before_and_after_the_move() {
    let mut room = start().await;
    room.join("lea/1").await.unwrap();
    room.at(MINUTE).leave("lea/1").await;
    room.undefine().await;
    room.settings.shards = during();
    room.store_end(END);
    room.at(2 * MINUTE).join("lea/2").await.unwrap();
    room.join("kim/1").await.unwrap();
    for layout in [before(), during()] {
        room.settings.shards = layout;
        let attendees = room.attendance().await.attendees;
        let stays: Vec<_> = attendees.iter().map(|user| (user.user_id.as_str(), user.stays.len())).collect();
        assert_eq!(stays, [("lea", 2), ("kim", 1)], "{layout}");
        assert_eq!(attendees[0].stays[0].entered_at, START);
    }
}

#[tokio::test]
async fn a_late_copy_of_a_join_stays_refused_after_the_move() {
    let mut room = start().await;
    room.join("lea/1").await.unwrap();
    room.leave("lea/1").await;
    // The disconnect of a join that has not arrived yet.
    room.disconnect("kim/1").await;
    room.undefine().await;
    room.settings.shards = during();
    room.store_end(END);
    for entry in ["lea/1", "kim/1"] {
        assert_eq!(room.join(entry).await.unwrap_err(), ErrorCode::EntryClosed);
    }
    room.disconnect("ben/1").await;
    assert_eq!(room.join("ben/1").await.unwrap_err(), ErrorCode::EntryClosed);
    room.join("ben/2").await.unwrap();
}

#[tokio::test]
async fn a_change_that_broke_off_before_the_move_is_completed_after_it() {
    let mut room = start().await;
    // The change has announced itself and not reached the store.
    let died = room.rooms_that_die_after(2).define(&&room, &room.home, ending_later()).await;
    assert!(died.is_err(), "the caller died");
    room.store_end(END);
    room.settings.shards = during();
    let joined = room.join("lea/1").await.unwrap();
    assert!(is_live_in(&room, after()).await);
    let announced: Option<u64> = {
        let key =
            room.settings.keyspace.key(after().shard_of(&room.home), format_args!("room:{}", room.home));
        redis::cmd("HGET").arg(key).arg("announced").query_async(&mut room.redis.clone()).await.unwrap()
    };
    assert!(announced.is_some(), "the room knows that the store may hold another definition: {joined:?}");
}

#[tokio::test]
async fn a_change_is_under_way_alone_wherever_it_began() {
    let mut room = start().await;
    let begun = room.rooms_that_die_after(1);
    room.settings.shards = during();
    // An instance that knows only of the few shards holds the lock there.
    let died = begun.define(&&room, &room.home, definition()).await;
    assert!(died.is_err());
    assert_eq!(room.try_define(definition()).await.unwrap_err(), ErrorCode::Conflict);
}

/// A store during one operation of which another instance starts the session, in the new shard.
struct SlowStore<'a> {
    room: &'a Fixture,
    slow: &'static str,
}

impl SlowStore<'_> {
    async fn delay(&self, operation: &str) {
        if operation == self.slow {
            self.room.join("lea/1").await.unwrap();
        }
    }
}

impl DefinitionStore for SlowStore<'_> {
    async fn get(&self, room: &RoomId) -> Result<Option<StoredDefinition>, Error> {
        self.delay("get").await;
        self.room.get(room).await
    }

    async fn put(&self, room: &RoomId, definition: &StoredDefinition) -> Result<(), Error> {
        self.delay("put").await;
        self.room.put(room, definition).await
    }

    async fn delete(&self, room: &RoomId) -> Result<(), Error> {
        self.delay("delete").await;
        self.room.delete(room).await
    }
}

#[tokio::test]
async fn a_change_that_the_move_overtakes_locks_nobody_out() {
    for slow in ["get", "put", "delete"] {
        let mut room = start().await;
        let begun = room.rooms();
        room.settings.shards = during();
        let store = SlowStore { room: &room, slow };
        let outcome = match slow {
            "delete" => begun.undefine(&store, &room.home, &Precondition::default()).await,
            _ => begun.define(&store, &room.home, ending_later()).await.map(drop),
        };
        match slow {
            "get" => assert_eq!(expect_refusal(outcome.unwrap_err()), ErrorCode::Conflict),
            _ => outcome.unwrap(),
        }
        let end = read(&room).await["endAt"].as_u64();
        let expected = [("get", Some(END)), ("put", Some(END + MINUTE)), ("delete", None)];
        assert_eq!((slow, end), *expected.iter().find(|(name, _)| *name == slow).unwrap());
        room.settings.shards = before();
        room.try_define(definition()).await.unwrap();
    }
}

fn ending_later() -> SessionDefinition {
    SessionDefinition { end_at: END + MINUTE, ..definition() }
}

#[tokio::test]
async fn a_timer_is_set_where_the_room_lies() {
    for (starts, calls) in [(before(), during()), (during(), before())] {
        let mut room = start().await;
        room.settings.shards = starts;
        room.join("lea/1").await.unwrap();
        room.settings.shards = calls;
        room.command("lea/1#1", TimerAction::Set(TimerPlan::Stopwatch {})).await.unwrap();
        assert_eq!(read(&room).await["timer"]["state"], "idle");
    }
}

#[tokio::test]
async fn members_write_and_share_where_the_room_lies() {
    for (starts, calls) in [(before(), during()), (during(), before())] {
        let mut room = start().await;
        room.settings.shards = starts;
        room.join("lea/1").await.unwrap();
        room.settings.shards = calls;
        let written = room.write("lea/1#1", "Hello").await.unwrap().message.unwrap();
        let ack = room.check_message("lea/1#1").await.unwrap().unwrap();
        assert_eq!(ack.message.as_ref(), Some(&written));
        assert_eq!(room.check_message("lea/1#5").await.unwrap(), None);
        assert_eq!(room.history("lea/1", HistoryRequest::default()).await.unwrap().messages, [written]);
        room.say("lea/1#2", Status::Away).await.unwrap();
        let snippet = room.share("lea/1#3", "x").await.unwrap();
        let changed = room.change("lea/1#4", &snippet, "y").await.unwrap();
        assert_eq!(room.read_snippet("lea/1", snippet.number).await.unwrap().snippet, changed);
        room.settings.document_burst = 64;
        let document = room.share_together("lea/1#6", "").await;
        for edit in 1..=64 {
            let ack = room.edit("lea/1", document.number, &first_update()).await.unwrap();
            assert_eq!(ack.edit, edit);
        }
        let opened = room.open("lea/1", document.number).await.unwrap();
        assert_eq!((opened.edit, opened.snippet.bytes), (64, 1), "merged where the room lies");
    }
}

#[tokio::test]
async fn a_lost_connection_is_reported_where_the_room_lies() {
    let mut room = start().await;
    room.settings.shards = during();
    room.join("lea/1").await.unwrap();
    room.settings.shards = before();
    room.disconnect("lea/1").await;
    assert_eq!(read(&room).await["members"][0]["state"], "reconnecting");
}

#[tokio::test]
async fn revisions_and_epochs_rise_although_the_clock_of_the_new_shard_is_behind() {
    let mut room = start().await;
    room.at(5 * MINUTE);
    let revision = room.try_define(definition()).await.unwrap();
    let epoch = room.join("lea/1").await.unwrap().epoch;
    room.undefine().await;
    room.settings.shards = during();
    room.at(0);
    assert!(room.try_define(definition()).await.unwrap() > revision);
    assert!(room.join("lea/2").await.unwrap().epoch > epoch);
}

#[tokio::test]
async fn instances_that_do_not_know_of_the_change_keep_the_new_shards_alive() {
    let mut room = start().await;
    room.settings.lease_ms = LEASE_MS;
    room.settings.shards = during();
    room.join("lea/1").await.unwrap();
    room.settings.shards = before();
    for second in [5, 10, 15, 20] {
        let first = room.at(second * 1000).rooms().heartbeat(0, &heartbeat("node-1")).await.unwrap();
        assert_eq!(first.shards, Some(MANY));
        for shard in 1..MANY {
            room.rooms().heartbeat(shard, &heartbeat("node-1")).await.unwrap();
        }
    }
    assert!(room.read(&["lea/1"]).await.gone.is_empty());
    assert!(room.at(60 * MINUTE).find_due().await.shards.contains(&after().shard_of(&room.home)));
}

#[tokio::test]
async fn a_number_that_never_changed_leaves_no_trace() {
    let mut room = start().await;
    room.join("lea/1").await.unwrap();
    room.at(60 * MINUTE).sweep().await;
    room.leave("lea/1").await;
    let first = room.rooms().heartbeat(0, &heartbeat("node-1")).await.unwrap();
    assert_eq!(first.shards, Some(FEW));
    let keys = room.keys().await;
    assert!(!keys.iter().any(|key| key.contains("handover") || key.contains("layout")), "{keys:?}");
}

#[tokio::test]
async fn a_shard_remembers_for_a_day_that_it_has_handed_a_room_over() {
    let mut room = start().await;
    room.settings.shards = during();
    room.join("lea/1").await.unwrap();
    let mark = format!("handover:{}", room.home);
    let key = room.settings.keyspace.key(before().shard_of(&room.home), mark);
    let ttl_ms: u64 = redis::cmd("PTTL").arg(key).query_async(&mut room.redis.clone()).await.unwrap();
    let day_ms = 24 * 60 * MINUTE;
    assert!((day_ms - MINUTE..=day_ms).contains(&ttl_ms), "{ttl_ms}");
}

#[tokio::test]
async fn a_mark_of_an_earlier_growth_means_nothing_once_there_are_more_shards() {
    let more: Layout = (FEW * MANY + 1).into();
    let returns = |id: &RoomId| {
        let shard = before().shard_of(id);
        shard != after().shard_of(id) && shard == more.shard_of(id)
    };
    let mut ids = (0..).map(|n| format!("room-{n}").parse().unwrap());
    let mut room = Fixture::start_in(ids.find(returns).unwrap()).await;
    room.settings.shards = during();
    room.join("lea/1").await.unwrap();
    room.undefine().await;
    room.store_end(END);
    room.settings.shards = more;
    room.join("lea/2").await.unwrap();
    assert!(is_live_in(&room, more).await && !is_live_in(&room, after()).await);
}

#[tokio::test]
async fn the_number_of_shards_that_all_instances_visit_never_falls() {
    let mut room = start().await;
    room.settings.shards = during();
    room.join("lea/1").await.unwrap();
    let fewer: Layout = format!("{FEW}-{}", MANY - 1).parse().unwrap();
    let moves = |id: &RoomId| before().shard_of(id) != fewer.shard_of(id);
    let other: RoomId = (0..).map(|n| format!("other-{n}").parse().unwrap()).find(moves).unwrap();
    room.settings.shards = fewer;
    room.in_room(other.as_str()).join("kim/1").await.unwrap();
    room.settings.shards = before();
    assert_eq!(room.rooms().heartbeat(0, &heartbeat("node-1")).await.unwrap().shards, Some(MANY));
}

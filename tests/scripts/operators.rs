//! Calls of operators: list, notice, kick.

use std::collections::BTreeSet;

use rollcall_protocol::{
    ErrorCode,
    api::{Notice, RoomMembers},
    client::Done,
};
use rollcall_rooms::Error;
use rollcall_tests::redis_server::RedisServer;

use crate::fixture::{END, Fixture, MINUTE, START, definition};

const LEASE_MS: u64 = 15_000;

#[tokio::test]
async fn live_rooms_are_listed_a_page_at_a_time_each_once() {
    let mut room = Fixture::start().await;
    for n in 0..50 {
        room.at(n).in_room(&format!("room-{n}")).join("kim/1").await.unwrap();
    }
    room.in_room("room-7").join("ben/1").await.unwrap();
    for limit in [1, 7, 50, 1000] {
        let (mut seen, mut after) = (BTreeSet::new(), None);
        loop {
            let page = room.rooms().list(after.as_deref(), limit).await.unwrap();
            for live in &page.rooms {
                let n: u64 = live.id.as_str().strip_prefix("room-").unwrap().parse().unwrap();
                assert_eq!((live.started_at, live.count), (START + n, if n == 7 { 2 } else { 1 }));
                assert!(seen.insert(n), "{n} twice");
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 50);
    }
}

#[tokio::test]
async fn ended_rooms_are_not_listed_and_an_invalid_cursor_is_refused() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    assert_eq!(room.rooms().list(None, 10).await.unwrap().rooms.len(), 1);
    room.at(60 * MINUTE);
    assert_eq!(room.rooms().list(None, 10).await.unwrap().rooms.len(), 0);
    for after in ["", "x", "x:y"] {
        let Err(Error::Refused(refusal)) = room.rooms().list(Some(after), 10).await else {
            panic!("{after}")
        };
        assert_eq!(refusal.code, ErrorCode::Malformed);
    }
    assert!(room.rooms().list(Some("9999:y"), 10).await.unwrap().rooms.is_empty());
}

#[tokio::test]
async fn a_kicked_member_gets_an_event_and_may_come_back() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.join("ben/1").await.unwrap();
    room.events().await;
    let kick = async |room: &Fixture, id: &str, user: &str| {
        let kicked = room.rooms().kick(&id.parse().unwrap(), &user.parse().unwrap()).await;
        kicked.map_err(|error| error.into_refusal().code)
    };
    assert_eq!(kick(&room, "algebra", "kim").await, Ok(Done {}));
    assert_eq!(kick(&room, "algebra", "kim").await, Err(ErrorCode::NoSuchMember));
    assert_eq!(kick(&room, "nowhere", "kim").await, Err(ErrorCode::NotLive));
    let names = room.event_names().await;
    assert_eq!(names, ["room:removed", "room:participantsChanged", "room:hostChanged"], "and once");
    assert!(!room.join("kim/2").await.unwrap().recovered);
}

#[tokio::test]
async fn a_notice_reaches_the_room_while_it_is_live() {
    let mut room = Fixture::start().await;
    let notice = Notice { text: "Five \"minutes\" 🦉".to_owned() };
    let algebra = "algebra".parse().unwrap();
    let Err(Error::Refused(refusal)) = room.rooms().notify(&algebra, &notice).await else {
        panic!("not live")
    };
    assert_eq!(refusal.code, ErrorCode::NotLive);
    room.join("kim/1").await.unwrap();
    room.rooms().notify(&algebra, &notice).await.unwrap();
    let events = room.events().await;
    assert_eq!((events[1].name.as_str(), &events[1].data["text"]), ("room:notice", &notice.text.into()));
}

/// A room whose member Kim came through a bridge that is dead since now, and nobody swept. Lea's bridge is alive.
async fn room_with_dead_bridge() -> Fixture {
    let mut room = Fixture::start().await;
    room.settings.lease_ms = LEASE_MS;
    room.through("node-2").join("lea/1").await.unwrap();
    room.through("node-1").join("kim/1").await.unwrap();
    room.run_until(LEASE_MS - 1).await.through("node-2").heartbeat(false).await;
    room.events().await;
    room.at(LEASE_MS);
    room
}

/// Asserts that the grace period of Kim has begun, and that it will end without another call.
async fn assert_is_no_ghost(room: &mut Fixture, last_event: &str) {
    let names = room.event_names().await;
    assert_eq!(names.first().unwrap(), "room:participantReconnecting");
    assert_eq!(names.last().unwrap(), last_event);
    assert_eq!(read_deadline(room).await, START + LEASE_MS + room.settings.grace_ms);
}

async fn read_deadline(room: &Fixture) -> u64 {
    let mut read = redis::cmd("ZSCORE");
    read.arg(room.shard_key("deadlines")).arg("algebra");
    read.query_async(&mut room.redis.clone()).await.unwrap()
}

#[tokio::test]
async fn after_the_kick_of_a_lost_member_nobody_waits_for_the_grace_period() {
    let room = Fixture::start().await;
    room.join("lea/1").await.unwrap();
    room.join("kim/1").await.unwrap();
    room.disconnect("kim/1").await;
    assert_eq!(read_deadline(&room).await, START + room.settings.grace_ms);
    room.rooms().kick(&room.home, &"kim".parse().unwrap()).await.unwrap();
    assert_eq!(read_deadline(&room).await, START + 50 * MINUTE, "the reminder");
}

#[tokio::test]
async fn a_kick_comes_after_what_is_overdue() {
    let mut room = room_with_dead_bridge().await;
    room.rooms().kick(&"algebra".parse().unwrap(), &"lea".parse().unwrap()).await.unwrap();
    assert_is_no_ghost(&mut room, "room:hostChanged").await;
}

#[tokio::test]
async fn a_notice_comes_after_what_is_overdue() {
    let mut room = room_with_dead_bridge().await;
    room.rooms().notify(&"algebra".parse().unwrap(), &Notice { text: "x".to_owned() }).await.unwrap();
    assert_is_no_ghost(&mut room, "room:notice").await;
}

#[tokio::test]
async fn members_are_listed_after_what_is_overdue() {
    let mut room = room_with_dead_bridge().await;
    let page = room.rooms().members(&"algebra".parse().unwrap(), None, 10).await.unwrap();
    let page: RoomMembers = serde_json::from_str(page.get()).unwrap();
    assert!(serde_json::to_value(page).unwrap()["members"][1]["graceUntil"].is_u64());
    assert_is_no_ghost(&mut room, "room:participantReconnecting").await;
}

#[tokio::test]
async fn a_listed_room_has_the_epoch_and_times_of_its_session() {
    let mut room = Fixture::start().await;
    room.at(7).join("kim/1").await.unwrap();
    room.at(60 * MINUTE).sweep().await;
    room.store_end(END + 30 * MINUTE);
    let joined = room.at(61 * MINUTE).join("kim/2").await.unwrap();
    let page = room.at(62 * MINUTE).rooms().list(None, 10).await.unwrap();
    let [live] = page.rooms.as_slice() else { panic!("{page:?}") };
    assert_eq!((live.id.as_str(), live.count), ("algebra", 1));
    assert_eq!(
        (live.epoch, live.started_at, live.end_at),
        (joined.epoch, START + 61 * MINUTE, END + 30 * MINUTE)
    );
}

#[tokio::test]
async fn rooms_of_a_shard_are_listed_in_the_order_of_their_bytes_up_to_the_end_of_the_session() {
    let mut room = Fixture::start().await;
    room.settings.shards = 1.into();
    for id in ["d", "b", "B", "10", "a", "9", "c"] {
        room.store_end(if id == "a" { END - 1 } else { END });
        room.in_room(id).join("kim/1").await.unwrap();
    }
    for limit in [2, 3] {
        assert_eq!(list_ids(room.at(60 * MINUTE - 2), limit).await, ["10", "9", "B", "a", "b", "c", "d"]);
        let ids = list_ids(room.at(60 * MINUTE - 1), limit).await;
        assert_eq!(ids, ["10", "9", "B", "b", "c", "d"], "in full pages of {limit}");
    }
}

#[tokio::test]
async fn a_room_whose_keys_have_expired_is_not_listed() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.delete_as_if_expired().await;
    assert_eq!(list_ids(&room, 10).await, [""; 0]);
}

/// The ids on all pages of live rooms.
async fn list_ids(room: &Fixture, limit: u32) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let page = room.rooms().list(after.as_deref(), limit).await.unwrap();
        assert!(page.rooms.len() <= limit as usize, "{page:?}");
        ids.extend(page.rooms.into_iter().map(|live| live.id.to_string()));
        after = page.next;
        if after.is_none() {
            return ids;
        }
    }
}

/// Ids that a locale takes for equal, or orders in another way than bytes.
const SIMILAR_IDS: [&str; 16] = [
    "a",
    "A",
    "b",
    "B",
    "\u{e4}",
    "a\u{308}",
    "z",
    "co-op",
    "coop",
    "CO-OP",
    "co op",
    "1",
    "\u{2460}",
    "\u{ff11}",
    "-a",
    "\u{1f989}",
];

async fn list_similar_ids(mut room: Fixture) {
    room.settings.shards = 2.into();
    for id in SIMILAR_IDS {
        room.in_room(id).join("kim/1").await.unwrap();
    }
    for limit in [1, 3, 100] {
        let mut ids = list_ids(&room, limit).await;
        ids.sort();
        let mut expected = SIMILAR_IDS.map(str::to_owned).to_vec();
        expected.sort();
        assert_eq!(ids, expected, "pages of {limit}");
    }
}

#[tokio::test]
async fn pages_hold_ids_that_differ_only_in_case_accents_or_punctuation() {
    list_similar_ids(Fixture::start().await).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn pages_are_complete_whatever_the_locale_of_redis() {
    let folder = tempfile::tempdir().unwrap();
    let locale = folder.path().join("en_US.UTF-8");
    let made =
        std::process::Command::new("localedef").args(["-i", "en_US", "-f", "UTF-8"]).arg(&locale).status();
    assert!(made.is_ok_and(|status| status.success()), "this test needs localedef and the sources of en_US");
    let path = folder.path().to_owned();
    let server = RedisServer::start_with(move |command| {
        command.env("LOCPATH", &path).env("LC_ALL", "en_US.UTF-8");
    });
    let room = Fixture::start_on(server.await).await;
    // By their bytes, a follows B.
    let compare = "return tostring('a' < 'B')";
    let is_smaller: String =
        redis::cmd("EVAL").arg(compare).arg(0).query_async(&mut room.redis.clone()).await.unwrap();
    assert_eq!(is_smaller, "true", "Redis uses the locale");
    list_similar_ids(room).await;
}

#[tokio::test]
async fn members_are_listed_a_page_at_a_time_in_rooms_of_any_size() {
    let mut room = Fixture::start().await;
    room.settings.roster_limit = 2;
    let users: Vec<String> = (0..25).map(|n| format!("user-{n}")).collect();
    for user in &users {
        room.join(&format!("{user}/1")).await.unwrap();
    }
    let algebra = "algebra".parse().unwrap();
    let page = async |after: Option<String>, limit| -> RoomMembers {
        let json = room.rooms().members(&algebra, after.as_deref(), limit).await.unwrap();
        serde_json::from_str(json.get()).unwrap()
    };
    for limit in [1, 5, 24, 25, 1000] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = page(after, limit).await;
            assert_eq!(page.room.count, 25);
            let members = page.room.members.unwrap();
            assert!(!members.is_empty() && members.len() <= limit as usize);
            seen.extend(members.into_iter().map(|member| member.user_id.to_string()));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, users, "pages of {limit}");
    }

    let first = page(None, 10).await;
    for n in 5..15 {
        room.leave(&format!("user-{n}/1")).await;
    }
    let second = page(first.next.clone(), 10).await;
    assert_eq!(second.room.members.unwrap()[0].user_id.as_str(), "user-15", "members who leave shift nobody");
    room.undefine().await;
    let Err(Error::Refused(refusal)) = room.rooms().members(&algebra, None, 10).await else { panic!() };
    assert_eq!(refusal.code, ErrorCode::NotLive);
    for after in ["", "x", "1", "1:x", "-1:2"] {
        let Err(Error::Refused(refusal)) = room.rooms().members(&algebra, Some(after), 10).await else {
            panic!("{after}")
        };
        assert_eq!(refusal.code, ErrorCode::Malformed);
    }
}

#[tokio::test]
async fn a_page_after_one_of_an_earlier_session_begins_at_the_first_member() {
    let mut room = Fixture::start().await;
    for name in ["ann/1", "ben/1", "kim/1"] {
        room.join(name).await.unwrap();
    }
    let algebra = "algebra".parse().unwrap();
    let read = async |room: &Fixture, after: Option<String>| -> RoomMembers {
        let json = room.rooms().members(&algebra, after.as_deref(), 2).await.unwrap();
        serde_json::from_str(json.get()).unwrap()
    };
    let next = read(&room, None).await.next;
    room.undefine().await;
    room.define(definition()).await;
    room.at(1).join("zoe/1").await.unwrap();
    assert_eq!(read(&room, next).await.room.members.unwrap()[0].user_id.as_str(), "zoe");
}

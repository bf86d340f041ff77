//! Calls of operators: list, notice, kick.

use std::collections::BTreeSet;

use rollcall_protocol::{ErrorCode, api::Notice};
use rollcall_rooms::Error;

use crate::fixture::{Fixture, MINUTE, START};

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
    for _ in 0..2 {
        room.rooms().kick(&"algebra".parse().unwrap(), &"kim".parse().unwrap()).await.unwrap();
    }
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

//! How often a user may enter a room, and change the name in it.

use rollcall_protocol::{ErrorCode, definition::Duplicates};

use crate::fixture::{Fixture, definition};

const BURST: u64 = 20;
const INTERVAL: u64 = 3000;

/// A room that Lea has started, so that it stays live.
async fn live_room() -> Fixture {
    let room = Fixture::start().await;
    room.join("lea/1").await.unwrap();
    room
}

/// Enters and leaves, through one of two bridges in turn.
async fn pass(room: &mut Fixture, number: u64) -> Result<(), ErrorCode> {
    let entry = format!("kim/{number}");
    room.through(if number.is_multiple_of(2) { "node-1" } else { "node-2" });
    room.join(&entry).await?;
    room.leave(&entry).await;
    Ok(())
}

/// Uses up Kim's limit.
async fn exhaust(room: &mut Fixture) {
    for number in 0..BURST {
        pass(room, number).await.unwrap();
    }
}

#[tokio::test]
async fn a_user_enters_twenty_times_at_once_and_then_once_in_three_seconds_across_bridges() {
    let mut room = live_room().await;
    exhaust(&mut room).await;
    for (number, (at, expected)) in (100..).zip([
        (0, Err(ErrorCode::RateLimited)),
        (INTERVAL - 1, Err(ErrorCode::RateLimited)),
        (INTERVAL, Ok(())),
        (2 * INTERVAL - 1, Err(ErrorCode::RateLimited)),
        (4 * INTERVAL, Ok(())),
        (4 * INTERVAL, Ok(())),
        (4 * INTERVAL, Ok(())),
        (4 * INTERVAL, Err(ErrorCode::RateLimited)),
    ]) {
        room.at(at);
        assert_eq!(pass(&mut room, number).await, expected, "after {at} ms");
    }
    room.at(4 * INTERVAL + BURST * INTERVAL);
    exhaust_again(&mut room).await;
}

/// All of the limit is back.
async fn exhaust_again(room: &mut Fixture) {
    for number in 0..BURST {
        pass(room, 1000 + number).await.unwrap();
    }
    assert_eq!(pass(room, 2000).await, Err(ErrorCode::RateLimited));
}

#[tokio::test]
async fn a_refused_join_changes_nothing_and_causes_no_event() {
    let mut room = live_room().await;
    exhaust(&mut room).await;
    room.events().await;
    for number in 100..110 {
        assert_eq!(pass(&mut room, number).await, Err(ErrorCode::RateLimited));
    }
    assert!(room.events().await.is_empty());
    room.at(INTERVAL);
    assert_eq!(pass(&mut room, 200).await, Ok(()), "refused joins do not count");
}

#[tokio::test]
async fn other_users_and_other_rooms_have_limits_of_their_own() {
    let mut room = live_room().await;
    exhaust(&mut room).await;
    room.join("ben/1").await.unwrap();
    room.in_room("botany").join("kim/100").await.unwrap();
}

#[tokio::test]
async fn the_next_session_begins_without_a_count() {
    let mut room = live_room().await;
    exhaust(&mut room).await;
    room.undefine().await;
    room.define(definition()).await;
    exhaust_again(&mut room).await;
}

#[tokio::test]
async fn members_who_come_back_or_repeat_a_join_are_never_refused() {
    let mut room = live_room().await;
    for number in 0..BURST - 1 {
        pass(&mut room, number).await.unwrap();
    }
    room.join("kim/a0").await.unwrap();
    for number in 0..BURST {
        let (entry, next) = (format!("kim/a{number}"), format!("kim/a{}", number + 1));
        room.join(&entry).await.unwrap();
        if number.is_multiple_of(2) {
            room.disconnect(&entry).await;
            room.join(&next).await.unwrap();
        } else {
            room.resume(&next, &entry).await.unwrap();
        }
    }
    room.rejoin("kim/b", &format!("kim/a{BURST}")).await.unwrap();
    room.leave("kim/b").await;
    assert_eq!(room.join("kim/c").await.unwrap_err(), ErrorCode::RateLimited);
    room.rejoin("kim/d", "kim/b").await.unwrap();
}

#[tokio::test]
async fn connections_that_take_over_count() {
    let room = room_with(Duplicates::Takeover).await;
    for number in 0..BURST {
        room.join(&format!("kim/{number}")).await.unwrap();
    }
    assert_eq!(room.join("kim/x").await.unwrap_err(), ErrorCode::RateLimited);
}

#[tokio::test]
async fn connections_that_share_count_only_with_a_new_name() {
    let mut room = room_with(Duplicates::Share).await;
    room.join("kim/0").await.unwrap();
    room.events().await;
    for number in 1..3 * BURST {
        room.join(&format!("kim/{number}")).await.unwrap();
        room.leave(&format!("kim/{}", number - 1)).await;
    }
    assert!(room.events().await.is_empty());
    for number in 1..BURST {
        room.join_named(&format!("kim/n{number}"), &format!("Kim {number}"), None).await.unwrap();
        room.leave(&format!("kim/n{number}")).await;
    }
    let refused = room.join_named("kim/x", "Kim the last", None).await;
    assert_eq!(refused.unwrap_err(), ErrorCode::RateLimited);
}

async fn room_with(duplicates: Duplicates) -> Fixture {
    let room = live_room().await;
    room.define(rollcall_protocol::definition::SessionDefinition { duplicates, ..definition() }).await;
    room
}

#[tokio::test]
async fn new_names_count_and_a_refused_one_reaches_nobody() {
    let mut room = live_room().await;
    room.join("kim/1").await.unwrap();
    for refreshes in 1..BURST {
        room.refresh("kim/1", refreshes as u32, &format!("Kim {refreshes}"), None).await;
    }
    room.events().await;
    let next = BURST as u32;
    let refused = room.try_refresh("kim/1", next, "Kim the last").await;
    assert_eq!(refused.unwrap_err(), ErrorCode::RateLimited);
    assert!(room.events().await.is_empty());
    room.refresh("kim/1", next, &format!("Kim {}", BURST - 1), None).await;
    room.at(INTERVAL).refresh("kim/1", next + 1, "Kim the last", None).await;
}

#[tokio::test]
async fn a_clock_that_steps_back_keeps_nobody_out() {
    let mut room = live_room().await;
    room.at(60 * INTERVAL);
    exhaust(&mut room).await;
    room.at(0);
    exhaust_again(&mut room).await;
}

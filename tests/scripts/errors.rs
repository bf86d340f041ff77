//! Errors inside a script, as the log shows them.

use rollcall_rooms::Error;

use crate::fixture::Fixture;

const ROOM: &str = include_str!("../../crates/rooms/src/scripts/include/room.lua");
const LIST: &str = include_str!("../../crates/rooms/src/scripts/list.lua");

/// Gives a key of the shard a type that no script expects.
async fn corrupt(room: &mut Fixture, key: &str) {
    let key = format!("rollcall:{{{}}}:{key}", room.shard());
    let () = redis::cmd("SET").arg(key).arg("corrupt").query_async(&mut room.redis).await.unwrap();
}

fn line_of(text: &str, code: &str) -> usize {
    1 + text.lines().position(|line| line.contains(code)).unwrap()
}

fn assert_names(failure: &Error, place: &str) {
    let text = failure.to_string();
    assert!(text.contains("wrong kind of value"), "{text}");
    assert!(text.contains(&format!("on @{place}.")), "{text} does not name {place}");
    assert!(!text.contains("user_script"), "{text}");
}

#[tokio::test]
async fn an_error_in_an_include_names_its_file_and_line() {
    let mut room = Fixture::start().await;
    corrupt(&mut room, "room:algebra").await;
    let failure = room.try_join("kim/1").await.unwrap_err();
    assert_names(&failure, &format!("include/room.lua:{}", line_of(ROOM, "redis.call('HMGET'")));
}

#[tokio::test]
async fn an_error_in_a_script_names_its_file_and_line() {
    let mut room = Fixture::start().await;
    corrupt(&mut room, "rooms").await;
    let failure = room.rooms().list(None, 1).await.unwrap_err();
    assert_names(&failure, &format!("list.lua:{}", line_of(LIST, "redis.call('ZRANGE'")));
}

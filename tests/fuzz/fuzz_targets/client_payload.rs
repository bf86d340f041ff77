//! What clients send along with their events, and ids.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollcall_protocol::{
    RoomId,
    client::{JoinRequest, RefreshRequest},
};

fuzz_target!(|text: &str| {
    if let Ok(JoinRequest { group_id, .. }) = serde_json::from_str(text) {
        check(&group_id);
    }
    let _ = serde_json::from_str::<RefreshRequest>(text);
    if let Ok(id) = text.parse::<RoomId>() {
        check(&id);
        assert_eq!(id.as_str(), text);
    }
});

fn check(id: &RoomId) {
    let text = id.as_str();
    assert!((1..=128).contains(&text.len()) && !text.chars().any(char::is_control));
    let json = serde_json::to_string(id).expect("an id is JSON");
    assert_eq!(serde_json::from_str::<RoomId>(&json).expect("what is written is read"), *id);
}

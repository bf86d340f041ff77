//! What clients send along with their events, ids, names and notices.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollcall_protocol::{
    RoomId,
    api::Notice,
    chat::{ChatAction, MessageText},
    client::{JoinRequest, RefreshRequest},
    code::{CodeAction, SnippetText},
    command::CommandPayload,
    status::{Goal, StatusAction, StatusUpdate},
    text,
    timer::TimerAction,
};

fuzz_target!(|text: &str| {
    if let Ok(JoinRequest { group_id, .. }) = serde_json::from_str(text) {
        check(&group_id);
    }
    let _ = serde_json::from_str::<RefreshRequest>(text);
    let _ = serde_json::from_str::<CommandPayload>(text);
    if let Ok(TimerAction::Set(plan)) = serde_json::from_str(text) {
        assert!(plan.validate().is_ok());
    }
    if let Ok(StatusAction::Update(update)) = serde_json::from_str(text) {
        let json = serde_json::to_string(&update).expect("what is read can be written");
        assert_eq!(serde_json::from_str::<StatusUpdate>(&json).expect("and read again"), update);
    }
    if let Ok(Some(goal)) = Goal::clean(text) {
        assert_eq!(Goal::clean(goal.as_str()), Ok(Some(goal.clone())));
        assert!(!goal.as_str().contains(is_never_in_names));
    }
    if let Ok(action) = serde_json::from_str::<ChatAction>(text) {
        let json = serde_json::to_string(&action).expect("what is read can be written");
        assert_eq!(serde_json::from_str::<ChatAction>(&json).expect("and read again"), action);
    }
    if let Ok(action) = serde_json::from_str::<CodeAction>(text) {
        let json = serde_json::to_string(&action).expect("what is read can be written");
        assert_eq!(serde_json::from_str::<CodeAction>(&json).expect("and read again"), action);
    }
    if let Ok(snippet) = SnippetText::clean(text) {
        assert_eq!(SnippetText::clean(snippet.as_str()), Ok(snippet.clone()));
        assert!(!snippet.as_str().contains(|character| is_never_in_names(character) && !"\n\t".contains(character)));
    }
    let _ = rollcall_protocol::hook::Answer::read(text.as_bytes());
    if let Ok(message) = MessageText::clean(text) {
        assert_eq!(MessageText::clean(message.as_str()), Ok(message.clone()));
        assert!(!message.as_str().contains(|character| is_never_in_names(character) && !"\n\t".contains(character)));
    }
    if let Ok(id) = text.parse::<RoomId>() {
        check(&id);
        assert_eq!(id.as_str(), text);
    }
    let name = text::clean_line(text);
    assert_eq!(text::clean_line(&name), name);
    assert!(!name.contains(is_never_in_names), "{name:?}");
    if let Ok(Notice { text }) = serde_json::from_str(text) {
        assert_eq!(text::clean_lines(&text), text);
        assert!(!text.contains(|character| is_never_in_names(character) && !"\n\t".contains(character)));
    }
});

fn is_never_in_names(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn check(id: &RoomId) {
    let text = id.as_str();
    assert!((1..=128).contains(&text.len()) && text::find_hidden(text).is_none());
    assert_eq!(text::clean_line(text), text, "an id can stand for a name");
    let json = serde_json::to_string(id).expect("an id is JSON");
    assert_eq!(serde_json::from_str::<RoomId>(&json).expect("what is written is read"), *id);
}

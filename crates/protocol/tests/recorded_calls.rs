//! Calls and responses between a bridge and an app of an earlier release, as they were recorded on the wire. While a
//! deployment is updated, bridges and apps of both releases work together.
//!
//! `recorded_calls.json` is never changed to fit the code. Each release may add its own calls; those of the release before
//! the last one may go.

#![allow(clippy::unwrap_used)]

use rollcall_protocol::{
    chat::ChatCommand,
    client::Ack,
    code::CodeCommand,
    event::{AppEvent, Connect, Disconnect, EventKind, Heartbeat, Join, Leave, Read, Sweep},
    json,
    lobby::CountRooms,
    status::StatusCommand,
    timer::TimerCommand,
};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Recorded {
    kind: EventKind,
    call: Value,
    answer: Value,
}

fn recorded() -> Vec<Recorded> {
    serde_json::from_str(include_str!("recorded_calls.json")).unwrap()
}

/// Whether a value holds all fields of another one, with the same values.
fn holds(value: &Value, expected: &Value) -> bool {
    match (value, expected) {
        (Value::Object(fields), Value::Object(expected)) => expected
            .iter()
            .all(|(name, expected)| fields.get(name).is_some_and(|field| holds(field, expected))),
        (value, expected) => value == expected,
    }
}

/// Adds a field to each object, as a later release may.
fn with_unknown_fields(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: serde_json::Map<_, _> =
                fields.iter().map(|(name, field)| (name.clone(), with_unknown_fields(field))).collect();
            fields.insert("addedLater".to_owned(), json!({ "a": [1] }));
            Value::Object(fields)
        }
        Value::Array(items) => items.iter().map(with_unknown_fields).collect(),
        other => other.clone(),
    }
}

/// The app reads the call, and the bridge reads the response: what is written again is what was recorded.
fn check<E: AppEvent>(
    call: &Value,
    answer: &Value,
    Recorded { kind, call: old_call, answer: old_answer }: &Recorded,
) {
    let event: E = json::from_object_str(&call.to_string()).unwrap();
    let mut written = serde_json::to_value(&event).unwrap();
    written["type"] = kind.name().into();
    assert!(holds(&written, old_call), "{old_call} became {written}");
    let ack: Ack<E::Response> = serde_json::from_str(&answer.to_string()).unwrap();
    let written = serde_json::to_value(&ack).unwrap();
    assert!(holds(&written, old_answer), "{old_answer} became {written}");
}

fn check_kind(call: &Value, answer: &Value, recorded: &Recorded) {
    let check = match recorded.kind {
        EventKind::Connect => check::<Connect>,
        EventKind::Join => check::<Join>,
        EventKind::Leave => check::<Leave>,
        EventKind::Disconnect => check::<Disconnect>,
        EventKind::Heartbeat => check::<Heartbeat>,
        EventKind::Read => check::<Read>,
        EventKind::Sweep => check::<Sweep>,
        EventKind::Timer => check::<TimerCommand>,
        EventKind::Status => check::<StatusCommand>,
        EventKind::Chat => check::<ChatCommand>,
        EventKind::Code => check::<CodeCommand>,
        EventKind::Lobby => check::<CountRooms>,
    };
    check(call, answer, recorded);
}

#[test]
fn calls_and_responses_of_an_earlier_release_are_understood() {
    for recorded in recorded() {
        check_kind(&recorded.call, &recorded.answer, &recorded);
    }
}

#[test]
fn fields_of_a_later_release_are_ignored() {
    for recorded in recorded() {
        let (call, answer) = (with_unknown_fields(&recorded.call), with_unknown_fields(&recorded.answer));
        let mut recorded = recorded;
        // A component passes the response to a command on as it is.
        if recorded.kind.feature().is_some() && recorded.kind != EventKind::Lobby {
            recorded.answer["data"] = answer["data"].clone();
        }
        // Nobody reads these lists before clients do.
        if let Some(data) = recorded.answer["data"].as_object_mut() {
            data.remove("members");
            data.remove("timer");
            data.remove("room");
        }
        check_kind(&call, &answer, &recorded);
    }
}

#[test]
fn each_kind_of_call_is_recorded() {
    let kinds: Vec<_> = recorded().iter().map(|recorded| recorded.kind).collect();
    for kind in EventKind::ALL {
        assert!(kinds.contains(kind), "{}", kind.name());
    }
}

//! The JSON of an event.
//!
//! The JSON names the kind of the event, although the path and a header do so too: the signature covers only the body,
//! and a call that was signed for one path must not work on another.

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    ErrorCode, Refusal,
    command::Command,
    event::{AppEvent, EventKind},
    json,
};

/// An event as JSON, written once for all its deliveries.
pub struct EventJson {
    kind: EventKind,
    json: Box<RawValue>,
}

impl EventJson {
    /// Writes an event together with its kind.
    pub fn new<E: AppEvent>(event: &E) -> serde_json::Result<Self> {
        Self::of_kind(E::KIND, event)
    }

    /// Writes a command together with the kind of its event.
    pub fn of_command(kind: EventKind, command: &Command<'_>) -> serde_json::Result<Self> {
        Self::of_kind(kind, command)
    }

    fn of_kind(kind: EventKind, event: &impl Serialize) -> serde_json::Result<Self> {
        #[derive(Serialize)]
        struct Body<'a, E> {
            #[serde(rename = "type")]
            kind: EventKind,
            #[serde(flatten)]
            event: &'a E,
        }

        Ok(Self { kind, json: to_raw_value(&Body { kind, event })? })
    }

    /// The kind of the event.
    pub fn kind(&self) -> EventKind {
        self.kind
    }

    /// The length of the JSON, in bytes.
    pub fn byte_len(&self) -> usize {
        self.json.get().len()
    }

    /// The JSON.
    pub(crate) fn get(&self) -> &RawValue {
        &self.json
    }
}

/// Reads an event and refuses other kinds.
///
/// Two passes over the text need no copy of it, in contrast to one pass over a tagged enum.
pub(crate) fn read<E: AppEvent>(text: &[u8]) -> Result<E, Refusal> {
    #[derive(Deserialize)]
    struct Tag {
        #[serde(rename = "type")]
        kind: EventKind,
    }

    let Tag { kind } = json::from_object(text).map_err(unreadable)?;
    if kind != E::KIND {
        let message = format!("the body holds an event of the kind {}, not {}", kind.name(), E::KIND.name());
        return Err(Refusal::because(ErrorCode::Malformed, message));
    }
    json::from_object(text).map_err(unreadable)
}

fn unreadable(error: serde_json::Error) -> Refusal {
    Refusal::because(ErrorCode::Malformed, format!("the event cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{Disconnect, Leave, Membership},
        timer::{TimerAction, TimerCommand, TimerPlan},
    };

    fn membership() -> Membership {
        Membership {
            room_id: "r".parse().unwrap(),
            user_id: "u".parse().unwrap(),
            entry_id: "e".parse().unwrap(),
        }
    }

    #[test]
    fn an_event_is_written_with_its_kind_and_reads_back() {
        let event = EventJson::new(&Leave(membership())).unwrap();
        let json = event.get().get();
        assert_eq!(
            (event.kind(), json),
            (EventKind::Leave, r#"{"type":"leave","roomId":"r","userId":"u","entryId":"e"}"#)
        );
        assert_eq!(event.byte_len(), json.len());
        assert_eq!(read::<Leave>(json.as_bytes()), Ok(Leave(membership())));
    }

    #[test]
    fn a_command_reads_back_as_the_component_knows_it() {
        let data = RawValue::from_string(r#"{"mode":"stopwatch","id":"c"}"#.to_owned()).unwrap();
        let (membership, command_id) = (membership(), "c".parse().unwrap());
        let command =
            Command { membership: &membership, command_id: &command_id, command: "timer:set", data: &data };
        let json = EventJson::of_command(EventKind::Timer, &command).unwrap();
        let read = read::<TimerCommand>(json.get().get().as_bytes()).unwrap();
        let action = TimerAction::Set(TimerPlan::Stopwatch {});
        assert_eq!(read, TimerCommand { membership, command_id, action });
    }

    #[test]
    fn the_kind_may_stand_anywhere() {
        let json =
            br#"{"roomId":"r","userId":"u","entryId":"e","new":[{"type":"leave"}],"type":"disconnect"}"#;
        assert_eq!(read::<Disconnect>(json), Ok(Disconnect(membership())));
    }

    #[test]
    fn a_body_of_another_kind_of_none_or_of_two_is_refused() {
        for kind in [r#""type":"leave","#, r#""type":"gone","#, "", r#""type":"disconnect","type":"leave","#]
        {
            let json = format!(r#"{{{kind}"roomId":"r","userId":"u","entryId":"e"}}"#);
            let refusal = read::<Disconnect>(json.as_bytes()).unwrap_err();
            assert_eq!(refusal.code, ErrorCode::Malformed, "{json}");
        }
    }
}

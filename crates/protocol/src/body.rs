//! The JSON of an event.
//!
//! The JSON names the kind of the event, although the path and a header do so too: the signature covers only the body,
//! and a call that was signed for one path must not work on another.

use serde::{Deserialize, Serialize};

use crate::{
    ErrorCode, Refusal,
    event::{AppEvent, EventKind},
    json,
};

/// Writes an event together with its kind.
#[derive(Serialize)]
pub(crate) struct Body<'a, E> {
    #[serde(rename = "type")]
    kind: EventKind,
    #[serde(flatten)]
    event: &'a E,
}

impl<'a, E: AppEvent> From<&'a E> for Body<'a, E> {
    fn from(event: &'a E) -> Self {
        Self { kind: E::KIND, event }
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
    use crate::event::{Disconnect, Leave, Membership};

    fn membership() -> Membership {
        Membership {
            room_id: "r".parse().unwrap(),
            user_id: "u".parse().unwrap(),
            entry_id: "e".parse().unwrap(),
        }
    }

    #[test]
    fn an_event_is_written_with_its_kind_and_reads_back() {
        let json = serde_json::to_string(&Body::from(&Leave(membership()))).unwrap();
        assert_eq!(json, r#"{"type":"leave","roomId":"r","userId":"u","entryId":"e"}"#);
        assert_eq!(read::<Leave>(json.as_bytes()), Ok(Leave(membership())));
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

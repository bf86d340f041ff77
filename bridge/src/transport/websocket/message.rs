//! The JSON in WebSocket frames: `{id?, event, data}` from clients, `{ack, data}` and `{event, data}` to them.

use std::borrow::Cow;

use rollcall_protocol::{ErrorCode, Refusal, fanout::Envelope, json, server::ServerEvent};
use rollcall_sockets::Utf8Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Longest id of a message, in bytes.
const MAX_ID_BYTES: usize = 128;

/// A message of a client.
#[derive(Debug, Deserialize)]
pub(crate) struct Incoming<'a> {
    /// The event's name.
    #[serde(borrow)]
    pub(crate) event: Cow<'a, str>,
    /// The id that the ack repeats; without an id, the client wants no ack.
    #[serde(borrow, default)]
    pub(crate) id: Option<&'a RawValue>,
    /// The payload.
    #[serde(borrow, default)]
    pub(crate) data: Option<&'a RawValue>,
}

/// What is wrong with a frame, and the id for the answer if the id could be read.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) id: Option<Box<RawValue>>,
    pub(crate) refusal: Refusal,
}

impl<'a> Incoming<'a> {
    /// Reads a frame.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Unreadable> {
        let malformed = |id: Option<&RawValue>, message: String| Unreadable {
            id: id.filter(|id| is_id(id)).map(ToOwned::to_owned),
            refusal: Refusal::because(ErrorCode::Malformed, message),
        };
        let incoming: Self = json::from_object_str(text).map_err(|error| {
            malformed(read_id(text), format!("a frame is {{id?, event, data?}}: {error}"))
        })?;
        match incoming.id {
            Some(id) if !is_id(id) => Err(malformed(None, "an id is a number or a short string".into())),
            _ => Ok(incoming),
        }
    }
}

/// Reads only the id of a frame.
fn read_id(text: &str) -> Option<&RawValue> {
    #[derive(Deserialize)]
    struct WithId<'a> {
        #[serde(borrow)]
        id: &'a RawValue,
    }
    json::from_object_str::<WithId>(text).ok().map(|with_id| with_id.id)
}

fn is_id(id: &RawValue) -> bool {
    let text = id.get();
    text.len() <= MAX_ID_BYTES
        && text.starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit())
}

/// Encodes an ack.
pub(crate) fn ack(id: &RawValue, data: &RawValue) -> Utf8Bytes {
    #[derive(Serialize)]
    struct AckFrame<'a> {
        ack: &'a RawValue,
        data: &'a RawValue,
    }
    encode(&AckFrame { ack: id, data })
}

/// Encodes a room event.
pub(crate) fn event(envelope: &Envelope) -> Utf8Bytes {
    encode(&EventFrame { event: &envelope.event, data: &envelope.data })
}

/// Encodes an event for one client alone.
pub(crate) fn emitted(event: ServerEvent, data: &impl Serialize) -> Utf8Bytes {
    encode(&EventFrame { event: event.as_str(), data })
}

#[derive(Serialize)]
struct EventFrame<'a, T> {
    event: &'a str,
    data: T,
}

fn encode(frame: &impl Serialize) -> Utf8Bytes {
    // Only maps with keys that are not strings cannot be encoded, and no frame has one.
    serde_json::to_string(frame).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read() {
        let incoming =
            Incoming::parse(r#"{"id": 7, "event": "room:join", "data": {"groupId": "r"}}"#).unwrap();
        assert_eq!(incoming.event, "room:join");
        assert_eq!(incoming.id.unwrap().get(), "7");
        assert_eq!(incoming.data.unwrap().get(), r#"{"groupId": "r"}"#);
    }

    #[test]
    fn id_and_data_may_be_missing() {
        let incoming = Incoming::parse(r#"{"event": "room:leave"}"#).unwrap();
        assert!(incoming.id.is_none() && incoming.data.is_none());
    }

    #[test]
    fn an_unreadable_frame_keeps_its_id_if_it_has_one() {
        let unreadable = Incoming::parse(r#"{"id": "a", "event": 1}"#).unwrap_err();
        assert_eq!(unreadable.id.unwrap().get(), r#""a""#);
        assert_eq!(unreadable.refusal.code, ErrorCode::Malformed);
        for text in [
            "",
            "x",
            "[]",
            r#"["room:leave"]"#,
            r#"["room:leave", 7]"#,
            "null",
            r#"{"id": 1"#,
            r#"{"id": {}, "event": "e"}"#,
            r#"{"id": true, "event": "e"}"#,
        ] {
            assert!(Incoming::parse(text).unwrap_err().id.is_none(), "{text}");
        }
    }

    #[test]
    fn deep_nesting_does_no_harm() {
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        let text = format!(r#"{{"id": 1, "event": "room:join", "data": {deep}}}"#);
        assert!(Incoming::parse(&text).is_ok());
        assert!(Incoming::parse(&deep).is_err());
        assert!(Incoming::parse(&"[".repeat(200_000)).is_err());
        assert!(Incoming::parse(&format!(r#"{{"id": {deep}, "event": "e"}}"#)).is_err());
    }

    #[test]
    fn frames_to_clients_have_the_documented_shapes() {
        let raw = |json: &str| serde_json::from_str::<Box<RawValue>>(json).unwrap();
        assert_eq!(
            ack(&raw("\"a\""), &raw(r#"{"success":true}"#)).as_str(),
            r#"{"ack":"a","data":{"success":true}}"#
        );
        let envelope =
            serde_json::from_str(r#"{"event":"room:ended","epoch":1,"seq":2,"data":{"seq":2}}"#).unwrap();
        assert_eq!(event(&envelope).as_str(), r#"{"event":"room:ended","data":{"seq":2}}"#);
        let refusal = Refusal::because(ErrorCode::Malformed, "m");
        assert_eq!(
            emitted(ServerEvent::Error, &refusal).as_str(),
            r#"{"event":"error","data":{"code":"MALFORMED","message":"m"}}"#
        );
    }
}

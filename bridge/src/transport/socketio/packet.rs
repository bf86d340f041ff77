//! The packets of Socket.IO (revision 5 of its protocol) that one namespace needs.

use std::borrow::Cow;

use engineioxide::Str;
use rollcall_protocol::{ErrorCode, Refusal};
use serde::Serialize;
use serde_json::value::RawValue;
use socketioxide_core::{Sid, Value, packet::Packet, parser::Parse};
use socketioxide_parser_common::CommonParser;

/// Encodes packets of one namespace.
#[derive(Debug, Clone)]
pub(crate) struct Namespace(Str);

impl Namespace {
    pub(crate) fn new(name: String) -> Self {
        Self(name.into())
    }

    pub(crate) fn is(&self, name: &Str) -> bool {
        self.0 == *name
    }

    /// CONNECT: the client has a session with this id.
    pub(crate) fn connected(&self, id: Sid) -> Str {
        #[derive(Serialize)]
        struct Connected {
            sid: Sid,
        }
        encode(Packet::connect(self.0.clone(), Some(json(&Connected { sid: id }))))
    }

    /// CONNECT_ERROR: the client is refused. The `connect_error` of the client has the code as its message, and the code
    /// with a sentence in its `data`.
    pub(crate) fn refused(&self, refusal: &Refusal) -> Str {
        connect_error(&self.0, &ConnectError { message: refusal.code.as_str(), data: Some(refusal) })
    }

    /// EVENT with a payload.
    pub(crate) fn event(&self, event: &str, data: &impl Serialize) -> Str {
        encode(Packet::event(self.0.clone(), json(&(event, data))))
    }

    /// ACK of an event.
    pub(crate) fn ack(&self, id: i64, ack: &RawValue) -> Str {
        encode(Packet::ack(self.0.clone(), json(&[ack]), id))
    }

    /// DISCONNECT: the server ends the client's session.
    pub(crate) fn disconnect(&self) -> Str {
        encode(Packet::disconnect(self.0.clone()))
    }
}

/// CONNECT_ERROR for a namespace that is not served, with the message of the official server.
pub(crate) fn invalid_namespace(name: &Str) -> Str {
    connect_error(name, &ConnectError { message: "Invalid namespace", data: None })
}

/// Parses an event's name and its first argument.
pub(crate) fn parse(value: &Value) -> Result<(Cow<'_, str>, Option<&RawValue>), Refusal> {
    let malformed = |message: &str| Refusal::because(ErrorCode::Malformed, message);
    let text = match value {
        Value::Str(text, None) => text,
        Value::Str(text, Some(attachments)) if attachments.is_empty() => text,
        Value::Str(..) | Value::Bytes(_) => return Err(malformed("no event takes binary data")),
    };
    let items: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|_| malformed("an event is an array of a name and a payload"))?;
    let event = items.first().and_then(|name| serde_json::from_str(name.get()).ok());
    let event = event.ok_or_else(|| malformed("an event's name is a string"))?;
    Ok((event, items.get(1).copied()))
}

#[derive(Serialize)]
struct ConnectError<'a> {
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Refusal>,
}

/// Encoded here because the library's packet has no place for `data`.
fn connect_error(namespace: &Str, error: &ConnectError<'_>) -> Str {
    let error = serde_json::to_string(error).unwrap_or_default();
    if namespace.as_str() == "/" { format!("4{error}") } else { format!("4{namespace},{error}") }.into()
}

fn json(value: &impl Serialize) -> Value {
    // Only maps with keys that are not strings cannot be encoded, and no packet has one.
    Value::Str(serde_json::to_string(value).unwrap_or_default().into(), None)
}

fn encode(packet: Packet) -> Str {
    match CommonParser.encode(packet) {
        Value::Str(text, _) => text,
        Value::Bytes(_) => Str::default(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;

    use super::*;

    fn study() -> Namespace {
        Namespace::new("/study".into())
    }

    fn value(text: &'static str) -> Value {
        Value::Str(text.into(), None)
    }

    #[test]
    fn packets_have_the_shapes_that_the_protocol_gives_them() {
        let answer = to_raw_value(&serde_json::json!({"success": true})).unwrap();
        assert_eq!(study().ack(7, &answer).as_str(), r#"3/study,7[{"success":true}]"#);
        assert_eq!(
            study().event("room:ended", &answer).as_str(),
            r#"2/study,["room:ended",{"success":true}]"#
        );
        assert_eq!(study().disconnect().as_str(), "1/study,");
        let id = Sid::new();
        assert_eq!(study().connected(id).as_str(), format!(r#"0/study,{{"sid":"{id}"}}"#));
    }

    #[test]
    fn a_refusal_names_its_code_twice() {
        let refusal = Refusal::because(ErrorCode::TokenExpired, "too late");
        assert_eq!(
            study().refused(&refusal).as_str(),
            r#"4/study,{"message":"TOKEN_EXPIRED","data":{"code":"TOKEN_EXPIRED","message":"too late"}}"#
        );
        assert_eq!(invalid_namespace(&"/x".into()).as_str(), r#"4/x,{"message":"Invalid namespace"}"#);
        assert_eq!(invalid_namespace(&"/".into()).as_str(), r#"4{"message":"Invalid namespace"}"#);
    }

    #[test]
    fn an_event_is_a_name_and_an_optional_payload() {
        let joining = value(r#"["room:join",{"groupId":"r"},1]"#);
        let (event, payload) = parse(&joining).unwrap();
        assert_eq!((event.as_ref(), payload.unwrap().get()), ("room:join", r#"{"groupId":"r"}"#));
        assert!(parse(&value(r#"["room:leave"]"#)).unwrap().1.is_none());
        for text in ["", "[]", "{}", "[1]", "null", r#"["a""#] {
            assert_eq!(parse(&value(text)).unwrap_err().code, ErrorCode::Malformed, "{text}");
        }
    }

    #[test]
    fn binary_data_is_refused() {
        let attachment = || Some([bytes::Bytes::from_static(b"x")].into());
        let binary = Value::Str(r#"["room:join",{"_placeholder":true,"num":0}]"#.into(), attachment());
        assert_eq!(parse(&binary).unwrap_err().code, ErrorCode::Malformed);
    }
}

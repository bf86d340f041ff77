//! The packets of Socket.IO (revision 5 of its protocol) that one namespace needs.

use std::{borrow::Cow, sync::Arc};

use rollcall_protocol::{ErrorCode, Refusal};
use rollcall_sockets::engineio::EncodedText;
use serde::Serialize;
use serde_json::value::RawValue;

/// The default namespace, whose name no packet repeats.
const DEFAULT_NAMESPACE: &str = "/";

/// A packet of a client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    pub(crate) kind: Kind,
    pub(crate) namespace: &'a str,
    /// The id that the ack of an event repeats.
    pub(crate) id: Option<u64>,
    /// JSON, which nobody has checked yet.
    pub(crate) data: &'a str,
}

/// The kind of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Connect,
    Disconnect,
    Event,
    Ack,
    ConnectError,
    /// An event or an ack that this many binary messages belong to, which follow.
    Binary {
        attachments: usize,
        is_event: bool,
    },
}

impl<'a> Packet<'a> {
    /// Parses a packet. `None`: the text is none.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (kind, rest) = split_kind(text)?;
        let (namespace, rest) = match rest.split_once(',') {
            Some((namespace, rest)) if namespace.starts_with('/') => (namespace, rest),
            _ if rest.starts_with('/') => (rest, ""),
            _ => (DEFAULT_NAMESPACE, rest),
        };
        let (digits, data) = split_digits(rest);
        let id = if digits.is_empty() { None } else { Some(digits.parse().ok()?) };
        Some(Self { kind, namespace, id, data })
    }
}

fn split_kind(text: &str) -> Option<(Kind, &str)> {
    let kind = |kind| Some((kind, &text[1..]));
    match text.as_bytes().first()? {
        b'0' => kind(Kind::Connect),
        b'1' => kind(Kind::Disconnect),
        b'2' => kind(Kind::Event),
        b'3' => kind(Kind::Ack),
        b'4' => kind(Kind::ConnectError),
        first @ (b'5' | b'6') => {
            let (digits, rest) = split_digits(&text[1..]);
            let kind = Kind::Binary { attachments: digits.parse().ok()?, is_event: *first == b'5' };
            Some((kind, rest.strip_prefix('-')?))
        }
        _ => None,
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

/// Parses the payload of an event: its name and its first argument.
pub(crate) fn parse_event(data: &str) -> Result<(Cow<'_, str>, Option<&RawValue>), Refusal> {
    let malformed = |message: &str| Refusal::because(ErrorCode::Malformed, message);
    let items: Vec<&RawValue> =
        serde_json::from_str(data).map_err(|_| malformed("an event is an array of a name and a payload"))?;
    let event = items.first().and_then(|name| serde_json::from_str(name.get()).ok());
    let event = event.ok_or_else(|| malformed("an event's name is a string"))?;
    Ok((event, items.get(1).copied()))
}

/// Encodes packets of one namespace.
#[derive(Debug, Clone)]
pub(crate) struct Namespace {
    name: Arc<str>,
    /// What packets hold between their type and their content.
    prefix: Arc<str>,
}

impl Namespace {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.into(), prefix: prefix(name).into() }
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        *self.name == *name
    }

    /// CONNECT: the client has a session with this id.
    pub(crate) fn connected(&self, id: &str) -> EncodedText {
        #[derive(Serialize)]
        struct Connected<'a> {
            sid: &'a str,
        }
        EncodedText::concat(&["0", &self.prefix, &json(&Connected { sid: id })])
    }

    /// CONNECT_ERROR: the client is refused. The `connect_error` of the client has the code as its message, and the code
    /// with a sentence in its `data`.
    pub(crate) fn refused(&self, refusal: &Refusal) -> EncodedText {
        connect_error(&self.prefix, &ConnectError { message: refusal.code.as_str(), data: Some(refusal) })
    }

    /// EVENT with a payload.
    pub(crate) fn event(&self, event: &str, data: &impl Serialize) -> EncodedText {
        EncodedText::concat(&["2", &self.prefix, &json(&(event, data))])
    }

    /// ACK of an event.
    pub(crate) fn ack(&self, id: u64, ack: &RawValue) -> EncodedText {
        EncodedText::concat(&["3", &self.prefix, &id.to_string(), "[", ack.get(), "]"])
    }

    /// DISCONNECT: the server ends the client's session.
    pub(crate) fn disconnect(&self) -> EncodedText {
        EncodedText::concat(&["1", &self.prefix])
    }
}

/// CONNECT_ERROR for a namespace that is not served, with the message of the official server.
pub(crate) fn invalid_namespace(name: &str) -> EncodedText {
    connect_error(&prefix(name), &ConnectError { message: "Invalid namespace", data: None })
}

#[derive(Serialize)]
struct ConnectError<'a> {
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Refusal>,
}

fn connect_error(prefix: &str, error: &ConnectError<'_>) -> EncodedText {
    EncodedText::concat(&["4", prefix, &json(error)])
}

fn prefix(namespace: &str) -> String {
    if namespace == DEFAULT_NAMESPACE { String::new() } else { format!("{namespace},") }
}

fn json(value: &impl Serialize) -> String {
    // Only maps with keys that are not strings cannot be encoded, and no packet has one.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;

    use super::*;

    fn study() -> Namespace {
        Namespace::new("/study")
    }

    #[test]
    fn packets_of_clients_are_read() {
        let packet = |kind, namespace, id, data| Some(Packet { kind, namespace, id, data });
        for (text, expected) in [
            ("0", packet(Kind::Connect, "/", None, "")),
            (r#"0/study,{"token":"a,b"}"#, packet(Kind::Connect, "/study", None, r#"{"token":"a,b"}"#)),
            ("0/study", packet(Kind::Connect, "/study", None, "")),
            ("1/study,", packet(Kind::Disconnect, "/study", None, "")),
            (r#"2["a","/x,y"]"#, packet(Kind::Event, "/", None, r#"["a","/x,y"]"#)),
            (r#"2/study,12["a"]"#, packet(Kind::Event, "/study", Some(12), r#"["a"]"#)),
            ("3/study,7[]", packet(Kind::Ack, "/study", Some(7), "[]")),
            (
                r#"52-/study,1["a",{"_placeholder":true,"num":0}]"#,
                packet(
                    Kind::Binary { attachments: 2, is_event: true },
                    "/study",
                    Some(1),
                    r#"["a",{"_placeholder":true,"num":0}]"#,
                ),
            ),
        ] {
            assert_eq!(Packet::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_packet_is_not_read() {
        for text in ["", "7", "abc", "é", "5", "5-", "51", "5x-[]", "299999999999999999999[]", "6/study,1[]"]
        {
            assert_eq!(Packet::parse(text), None, "{text}");
        }
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
        assert_eq!(study().connected("x").as_str(), r#"0/study,{"sid":"x"}"#);
        assert_eq!(Namespace::new("/").connected("x").as_str(), r#"0{"sid":"x"}"#);
    }

    #[test]
    fn a_refusal_names_its_code_twice() {
        let refusal = Refusal::because(ErrorCode::TokenExpired, "too late");
        assert_eq!(
            study().refused(&refusal).as_str(),
            r#"4/study,{"message":"TOKEN_EXPIRED","data":{"code":"TOKEN_EXPIRED","message":"too late"}}"#
        );
        assert_eq!(invalid_namespace("/x").as_str(), r#"4/x,{"message":"Invalid namespace"}"#);
        assert_eq!(invalid_namespace("/").as_str(), r#"4{"message":"Invalid namespace"}"#);
    }

    #[test]
    fn an_event_is_a_name_and_an_optional_payload() {
        let (event, payload) = parse_event(r#"["room:join",{"groupId":"r"},1]"#).unwrap();
        assert_eq!((event.as_ref(), payload.unwrap().get()), ("room:join", r#"{"groupId":"r"}"#));
        assert!(parse_event(r#"["room:leave"]"#).unwrap().1.is_none());
        for text in ["", "[]", "{}", "[1]", "null", r#"["a""#] {
            assert_eq!(parse_event(text).unwrap_err().code, ErrorCode::Malformed, "{text}");
        }
    }
}

//! Socket.IO packets (protocol 5, over Engine.IO 4) of one namespace, as far as a client needs them.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::Incoming;

const NAMESPACE: &str = "/study,";

/// The answer to a ping.
pub const PONG: &str = "3";

#[derive(Deserialize)]
struct ConnectError {
    message: String,
}

pub(super) fn connect_packet(token: &str) -> String {
    format!("40{NAMESPACE}{}", json!({"token": token}))
}

pub(super) fn request(id: u64, event: &str, data: &Value) -> String {
    format!("42{NAMESPACE}{id}{}", json!([event, data]))
}

pub(super) fn parse(text: &str) -> Result<Incoming> {
    match text.as_bytes() {
        [b'0', ..] => return Ok(Incoming::Opened),
        [b'1'] => return Ok(Incoming::Disconnected),
        [b'2'] => return Ok(Incoming::Ping),
        _ => {}
    }
    let packet = text.strip_prefix('4').context("a packet of Engine.IO")?;
    let mut packet = packet.chars();
    let kind = packet.next().context("a packet of Socket.IO")?;
    let rest = packet.as_str().strip_prefix(NAMESPACE).context("a packet of the namespace")?;
    match kind {
        '0' => Ok(Incoming::Connected),
        '1' => Ok(Incoming::Disconnected),
        '2' => parse_event(rest),
        '3' => parse_ack(rest),
        '4' => Ok(Incoming::Refused(serde_json::from_str::<ConnectError>(rest)?.message)),
        _ => bail!("an unknown packet of Socket.IO: {kind}"),
    }
}

fn parse_event(rest: &str) -> Result<Incoming> {
    let (name, data): (String, Box<RawValue>) = serde_json::from_str(rest).context("an event")?;
    Ok(Incoming::Event { name, data })
}

fn parse_ack(rest: &str) -> Result<Incoming> {
    let start = rest.find('[').context("an ack's arguments")?;
    let (id, arguments) = rest.split_at(start);
    let (data,): (Box<RawValue>,) = serde_json::from_str(arguments).context("an ack")?;
    Ok(Incoming::Ack { id: id.parse().context("an ack's id")?, data })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_parsed() {
        assert!(matches!(parse("0{\"sid\":\"a\"}"), Ok(Incoming::Opened)));
        assert!(matches!(parse("2"), Ok(Incoming::Ping)));
        assert!(matches!(parse("40/study,{\"sid\":\"b\"}"), Ok(Incoming::Connected)));
        assert!(matches!(parse("41/study,"), Ok(Incoming::Disconnected)));
        assert!(matches!(parse("43/study,12[{}]"), Ok(Incoming::Ack { id: 12, .. })));
        assert!(matches!(parse("42/study,[\"x\",{}]"), Ok(Incoming::Event { name, .. }) if name == "x"));
        let refused = parse("44/study,{\"message\":\"TOKEN_EXPIRED\"}");
        assert!(matches!(refused, Ok(Incoming::Refused(code)) if code == "TOKEN_EXPIRED"));
        assert!(parse("4").is_err());
        assert!(parse("é").is_err());
    }

    #[test]
    fn a_request_is_a_packet_with_an_id() {
        assert_eq!(request(7, "room:leave", &json!({})), "42/study,7[\"room:leave\",{}]");
    }
}

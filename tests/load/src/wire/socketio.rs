//! Socket.IO packets (protocol 5, over Engine.IO 4) of one namespace, as far as a client needs them.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::Incoming;

const NAMESPACE: &str = "/study,";

/// The answer to a ping.
pub const PONG: &str = "3";

#[derive(Deserialize)]
struct Refusal {
    message: String,
}

pub(super) fn introduction(token: &str) -> String {
    format!("40{NAMESPACE}{}", json!({"token": token}))
}

pub(super) fn request(id: u64, event: &str, data: &Value) -> String {
    format!("42{NAMESPACE}{id}{}", json!([event, data]))
}

pub(super) fn read(text: &str) -> Result<Incoming> {
    match text.as_bytes() {
        [b'0', ..] => return Ok(Incoming::Opened),
        [b'1'] => return Ok(Incoming::Goodbye),
        [b'2'] => return Ok(Incoming::Ping),
        _ => {}
    }
    let packet = text.strip_prefix('4').context("a packet of Engine.IO")?;
    let mut packet = packet.chars();
    let kind = packet.next().context("a packet of Socket.IO")?;
    let rest = packet.as_str().strip_prefix(NAMESPACE).context("a packet of the namespace")?;
    match kind {
        '0' => Ok(Incoming::Admitted),
        '1' => Ok(Incoming::Goodbye),
        '2' => event(rest),
        '3' => ack(rest),
        '4' => Ok(Incoming::Refused(serde_json::from_str::<Refusal>(rest)?.message)),
        _ => bail!("an unknown packet of Socket.IO: {kind}"),
    }
}

fn event(rest: &str) -> Result<Incoming> {
    let (name, data): (String, Box<RawValue>) = serde_json::from_str(rest).context("an event")?;
    Ok(Incoming::Event { name, data })
}

fn ack(rest: &str) -> Result<Incoming> {
    let digits = rest.find('[').context("an ack's arguments")?;
    let (id, arguments) = rest.split_at(digits);
    let (data,): (Box<RawValue>,) = serde_json::from_str(arguments).context("an ack")?;
    Ok(Incoming::Ack { id: id.parse().context("an ack's id")?, data })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_read() {
        assert!(matches!(read("0{\"sid\":\"a\"}"), Ok(Incoming::Opened)));
        assert!(matches!(read("2"), Ok(Incoming::Ping)));
        assert!(matches!(read("40/study,{\"sid\":\"b\"}"), Ok(Incoming::Admitted)));
        assert!(matches!(read("41/study,"), Ok(Incoming::Goodbye)));
        assert!(matches!(read("43/study,12[{}]"), Ok(Incoming::Ack { id: 12, .. })));
        assert!(matches!(read("42/study,[\"x\",{}]"), Ok(Incoming::Event { name, .. }) if name == "x"));
        let refused = read("44/study,{\"message\":\"TOKEN_EXPIRED\"}");
        assert!(matches!(refused, Ok(Incoming::Refused(code)) if code == "TOKEN_EXPIRED"));
        assert!(read("4").is_err());
        assert!(read("é").is_err());
    }

    #[test]
    fn a_request_is_a_packet_with_an_id() {
        assert_eq!(request(7, "room:leave", &json!({})), "42/study,7[\"room:leave\",{}]");
    }
}

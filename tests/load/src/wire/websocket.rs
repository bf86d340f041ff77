//! Messages on a plain WebSocket.

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::Incoming;

#[derive(Deserialize)]
struct Frame {
    ack: Option<u64>,
    event: Option<String>,
    data: Box<RawValue>,
}

pub(super) fn request(id: u64, event: &str, data: &Value) -> String {
    json!({"id": id, "event": event, "data": data}).to_string()
}

pub(super) fn parse(text: &str) -> Result<Incoming> {
    let Frame { ack, event, data } = serde_json::from_str(text).context("a frame of the bridge")?;
    match (ack, event) {
        (Some(id), _) => Ok(Incoming::Ack { id, data }),
        (None, event) => Ok(Incoming::Event { name: event.context("a frame is an ack or an event")?, data }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acks_and_events_are_distinguished() {
        assert!(matches!(parse(r#"{"ack":3,"data":{}}"#), Ok(Incoming::Ack { id: 3, .. })));
        assert!(
            matches!(parse(r#"{"event":"room:ended","data":{}}"#), Ok(Incoming::Event { name, .. }) if name == "room:ended")
        );
        assert!(parse(r#"{"data":{}}"#).is_err());
    }
}

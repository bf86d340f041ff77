//! Packets, and payloads of several packets.

use base64::{Engine, engine::general_purpose::STANDARD};

/// Separates the packets in one body.
pub(super) const SEPARATOR: char = '\x1e';

/// The packets that the server sends apart from messages.
pub(super) const CLOSE: &str = "1";
pub(super) const PING: &str = "2";
pub(super) const PROBE_ANSWER: &str = "3probe";
pub(super) const NOOP: &str = "6";
/// The type of a text message.
pub(super) const MESSAGE: char = '4';

/// A packet of a client.
#[derive(Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// The session ends.
    Close,
    /// Asks whether a WebSocket works, before an upgrade.
    Probe,
    /// Answers a ping.
    Pong,
    /// A text message.
    Text(&'a str),
    /// A binary message. On a WebSocket, binary frames are such messages as well.
    Binary(Vec<u8>),
    /// The client has moved to this WebSocket.
    Upgrade,
    /// Nothing.
    Noop,
}

/// The text is no packet that a client may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a packet of Engine.IO")]
pub struct InvalidPacket;

impl<'a> Packet<'a> {
    /// Parses one packet.
    ///
    /// # Errors
    ///
    /// [`InvalidPacket`] also for a ping, which only servers send, apart from the probe.
    pub fn parse(text: &'a str) -> Result<Self, InvalidPacket> {
        let mut rest = text.chars();
        match (rest.next().ok_or(InvalidPacket)?, rest.as_str()) {
            ('1', _) => Ok(Self::Close),
            ('2', "probe") => Ok(Self::Probe),
            ('3', _) => Ok(Self::Pong),
            ('4', text) => Ok(Self::Text(text)),
            ('5', _) => Ok(Self::Upgrade),
            ('6', _) => Ok(Self::Noop),
            ('b', data) => STANDARD.decode(data).map(Self::Binary).map_err(|_| InvalidPacket),
            _ => Err(InvalidPacket),
        }
    }
}

/// Parses the packets in the body of a post.
pub fn parse_payload(body: &str) -> impl Iterator<Item = Result<Packet<'_>, InvalidPacket>> {
    body.split(SEPARATOR).map(Packet::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_told_apart_by_their_first_character() {
        let parsed: Vec<_> =
            parse_payload("4hi\u{1e}4\u{1e}3\u{1e}bAQID\u{1e}1\u{1e}6\u{1e}5\u{1e}2probe").collect();
        let expected = [
            Packet::Text("hi"),
            Packet::Text(""),
            Packet::Pong,
            Packet::Binary(vec![1, 2, 3]),
            Packet::Close,
            Packet::Noop,
            Packet::Upgrade,
            Packet::Probe,
        ];
        assert_eq!(parsed.into_iter().collect::<Result<Vec<_>, _>>().unwrap(), expected);
    }

    #[test]
    fn what_no_client_may_send_is_invalid() {
        for text in ["", "2", "2prob", "0", "7", "abc", "é", "b?", "bAQI", " 4"] {
            assert_eq!(Packet::parse(text), Err(InvalidPacket), "{text:?}");
        }
    }
}

//! The messages on a socket, by transport. They are written from the protocols and not from the bridge's code, so that
//! a mistake in one does not hide a mistake in the other.

pub mod socketio;
mod websocket;

use anyhow::Result;
use serde_json::{Value, value::RawValue};

/// A transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// A plain WebSocket at `/ws`.
    WebSocket,
    /// Socket.IO over a WebSocket.
    SocketIo,
}

/// A message from the bridge.
#[derive(Debug)]
pub enum Incoming {
    /// An event.
    Event {
        /// Its name.
        name: String,
        /// Its payload.
        data: Box<RawValue>,
    },
    /// The ack of a request.
    Ack {
        /// The request's id.
        id: u64,
        /// The ack's payload.
        data: Box<RawValue>,
    },
    /// A ping of Engine.IO.
    Ping,
    /// Engine.IO opened the transport.
    Opened,
    /// Socket.IO connected the namespace.
    Connected,
    /// Socket.IO refused the connection with this code.
    Refused(String),
    /// The bridge disconnected the client.
    Disconnected,
}

impl Transport {
    /// All transports.
    pub const ALL: [Self; 2] = [Self::WebSocket, Self::SocketIo];

    /// The path and the query at the bridge.
    pub fn path(self) -> &'static str {
        match self {
            Self::WebSocket => "/ws",
            Self::SocketIo => "/socket.io/?EIO=4&transport=websocket",
        }
    }

    /// Formats a request.
    pub fn request(self, id: u64, event: &str, data: &Value) -> String {
        match self {
            Self::WebSocket => websocket::request(id, event, data),
            Self::SocketIo => socketio::request(id, event, data),
        }
    }

    /// Formats the packet that connects with a token, on the transport that has one.
    pub fn connect_packet(self, token: &str) -> Option<String> {
        match self {
            Self::WebSocket => None,
            Self::SocketIo => Some(socketio::connect_packet(token)),
        }
    }

    /// Parses a message from the bridge.
    pub fn parse(self, text: &str) -> Result<Incoming> {
        match self {
            Self::WebSocket => websocket::parse(text),
            Self::SocketIo => socketio::parse(text),
        }
    }
}

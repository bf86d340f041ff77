//! What travels on a socket, by transport. Written from the protocols and not from the product's code, so that both
//! can be wrong independently.

pub mod socketio;
mod websocket;

use anyhow::Result;
use serde_json::{Value, value::RawValue};

/// How a client is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// A plain WebSocket at `/ws`.
    WebSocket,
    /// Socket.IO over a WebSocket.
    SocketIo,
}

/// What came from the bridge.
#[derive(Debug)]
pub enum Incoming {
    /// An event.
    Event {
        /// Its name.
        name: String,
        /// Its payload.
        data: Box<RawValue>,
    },
    /// The answer to a request.
    Ack {
        /// The request's id.
        id: u64,
        /// The ack.
        data: Box<RawValue>,
    },
    /// Asks whether the client is there, in a packet of the transport's own.
    Ping,
    /// The transport is open.
    Opened,
    /// The client is let in.
    Admitted,
    /// The client is not let in; holds the code.
    Refused(String),
    /// The bridge says goodbye.
    Goodbye,
}

impl Transport {
    /// Both.
    pub const ALL: [Self; 2] = [Self::WebSocket, Self::SocketIo];

    /// Where it is served.
    pub fn path(self) -> &'static str {
        match self {
            Self::WebSocket => "/ws",
            Self::SocketIo => "/socket.io/?EIO=4&transport=websocket",
        }
    }

    /// A request, as text.
    pub fn request(self, id: u64, event: &str, data: &Value) -> String {
        match self {
            Self::WebSocket => websocket::request(id, event, data),
            Self::SocketIo => socketio::request(id, event, data),
        }
    }

    /// Asks to be let in, if that takes a message of its own.
    pub fn introduction(self, token: &str) -> Option<String> {
        match self {
            Self::WebSocket => None,
            Self::SocketIo => Some(socketio::introduction(token)),
        }
    }

    /// Reads a message of the bridge.
    pub fn read(self, text: &str) -> Result<Incoming> {
        match self {
            Self::WebSocket => websocket::read(text),
            Self::SocketIo => socketio::read(text),
        }
    }
}

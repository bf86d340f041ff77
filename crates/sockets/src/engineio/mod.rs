//! The server of Engine.IO, revision 4 of its protocol, with both transports: long-polling and WebSockets.
//!
//! The behaviour follows the protocol's specification and, where the specification is silent, the official server. A
//! client begins with long-polling or with a WebSocket. A polling client may upgrade: it opens a WebSocket, probes it,
//! and moves over. Until the client has moved, the polling session goes on as before, so an upgrade that fails changes
//! nothing.
//!
//! | module | what it does |
//! |---|---|
//! | [`server`] | answers requests and knows the sockets that requests may name |
//! | [`socket`] | the state of one client |
//! | [`polling`] | long-polling: polls and posts |
//! | [`websocket`] | sessions over a WebSocket, from their beginning or after an upgrade |
//! | [`packet`] | packets, and payloads of several packets |
//! | [`query`] | the query of a request |
//! | [`response`] | responses, also those to wrong requests |
//! | [`id`] | ids that nobody can guess |

mod id;
mod packet;
mod polling;
mod query;
mod response;
mod server;
mod socket;
mod websocket;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::Request;
use tokio_tungstenite::tungstenite::Utf8Bytes;

pub use self::{
    id::random_id,
    packet::{InvalidPacket, Packet, parse_payload},
    query::names_session,
    server::Server,
    socket::{Closed, Socket},
};
use crate::{heartbeat::Timing, queue::QueueLimits};

/// Settings of a server.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How often clients are pinged, and how long they may take to answer.
    pub timing: Timing,
    /// Largest message on a WebSocket, and largest body of a post, in bytes.
    pub max_payload_bytes: usize,
    /// How long the body of a post may take.
    pub body_timeout: Duration,
    /// How much may wait for one client.
    pub queue: QueueLimits,
}

/// What a server does with its clients. Messages of one client come one after the other, in the client's order.
pub trait Handler: Send + Sync + 'static {
    /// What the handler keeps for each client.
    type Data: Send + Sync + 'static;

    /// Reads what the handler needs of the client's first request.
    fn data(&self, request: &Request<()>) -> Self::Data;

    /// A client has opened a session.
    fn opened(self: &Arc<Self>, socket: &Arc<Socket<Self::Data>>);

    /// A client has sent text.
    fn text(self: &Arc<Self>, socket: &Arc<Socket<Self::Data>>, text: &str);

    /// A client has sent binary data.
    fn binary(self: &Arc<Self>, socket: &Arc<Socket<Self::Data>>, data: Bytes);

    /// A session has ended. Nothing comes from it any more.
    fn closed(&self, socket: &Socket<Self::Data>, reason: Closed);

    /// An event that arrived at the given time has been sent.
    fn sent(&self, received_at: std::time::Instant);
}

/// A text message, encoded once for all clients that get it.
#[derive(Debug, Clone)]
pub struct EncodedText(Utf8Bytes);

impl EncodedText {
    /// Encodes the message that the parts make together.
    #[must_use]
    pub fn concat(parts: &[&str]) -> Self {
        let mut packet = String::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
        packet.push(packet::MESSAGE);
        parts.iter().for_each(|part| packet.push_str(part));
        Self(packet.into())
    }

    /// The message.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.strip_prefix(packet::MESSAGE).unwrap_or_default()
    }
}

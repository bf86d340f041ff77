//! Socket.IO: translates between its packets and sessions.
//!
//! A library does Engine.IO, with its transports and heartbeats, and parses packets. The library's Socket.IO server is
//! not used: it handles a client's events in no order, has no place for a refusal's code, and encodes an event again for
//! each client that gets it.
//!
//! | module | what it does |
//! |---|---|
//! | [`packet`] | parses and encodes packets |
//! | [`connection`] | follows one client from its connection to its end |
//! | [`outbound`] | the way from a session to its client |
//! | [`polling`] | enforces the limits of long-polling |

mod connection;
mod outbound;
pub(crate) mod packet;
mod polling;

use std::{fmt, sync::Arc, time::Duration};

use axum::{Router, middleware};
use bytes::Bytes;
use engineioxide::{
    DisconnectReason, Str, config::EngineIoConfig, handler::EngineIoHandler, service::EngineIoService,
};
use socketioxide_core::{
    Sid,
    packet::Packet,
    parser::{Parse, ParseConfig, ParseError},
};
use socketioxide_parser_common::CommonParser;

pub(crate) use self::polling::names_session;
use self::{connection::Connection, outbound::Emitter, packet::Namespace};
use super::Sockets;
use crate::session::SOCKET_QUEUE;

/// The path that clients use by default.
const PATH: &str = "/socket.io";

/// How long a client may take to switch from polling to a WebSocket.
const UPGRADE_LIMIT: Duration = Duration::from_secs(10);

/// No event takes attachments. Up to this many are read before the event is refused, so that the connection stays
/// open.
const MAX_ATTACHMENTS: usize = 16;

type Socket = engineioxide::Socket<Connection>;

/// Serves one namespace and refuses all others.
struct Server {
    sockets: Sockets,
    namespace: Namespace,
    parsing: ParseConfig,
}

/// Routes of the server.
pub(super) fn routes(sockets: Sockets, namespace: String) -> Router {
    let limits = sockets.limits;
    let service = service(sockets, namespace);
    Router::new()
        .route_service(PATH, service.clone())
        .route_service(&format!("{PATH}/"), service)
        .layer(middleware::from_fn_with_state(limits, polling::enforce_limits))
}

fn service(sockets: Sockets, namespace: String) -> EngineIoService<Server> {
    let limits = sockets.limits;
    let config = EngineIoConfig::builder()
        .req_path(PATH)
        .max_payload(polling::NO_LIMIT)
        .ws_max_message_size(limits.max_payload_bytes)
        .ws_max_frame_size(limits.max_payload_bytes)
        .max_buffer_size(SOCKET_QUEUE)
        .ping_interval(limits.ping_interval)
        .ping_timeout(limits.ping_timeout)
        .upgrade_timeout(UPGRADE_LIMIT)
        .build();
    let parsing = ParseConfig {
        max_incoming_binary_buf_size: limits.max_payload_bytes,
        max_incoming_binaries: MAX_ATTACHMENTS,
        ..ParseConfig::default()
    };
    let server = Server { sockets, namespace: Namespace::new(namespace), parsing };
    EngineIoService::with_config(Arc::new(server), config)
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl EngineIoHandler for Server {
    type Data = Connection;

    fn on_connect(self: Arc<Self>, socket: Arc<Socket>) {
        connection::close_without_session(&socket, self.sockets.limits.handshake_timeout);
    }

    fn on_disconnect(&self, socket: Arc<Socket>, reason: DisconnectReason) {
        tracing::debug!(socket_id = %socket.id, ?reason, "socketio.closed");
        socket.data.end();
    }

    fn on_message(self: &Arc<Self>, message: Str, socket: Arc<Socket>) {
        let packet = CommonParser.decode_str(&self.parsing, &socket.data.parser, message);
        self.receive(packet, &socket);
    }

    fn on_binary(self: &Arc<Self>, data: Bytes, socket: Arc<Socket>) {
        let packet = CommonParser.decode_bin(&self.parsing, &socket.data.parser, data);
        self.receive(packet, &socket);
    }
}

impl Server {
    fn emitter(&self, socket: &Arc<Socket>, session: Sid) -> Emitter {
        let handshake_timeout = self.sockets.limits.handshake_timeout;
        Emitter { socket: Arc::clone(socket), session, namespace: self.namespace.clone(), handshake_timeout }
    }

    fn receive(self: &Arc<Self>, packet: Result<Packet, ParseError>, socket: &Arc<Socket>) {
        match packet {
            Ok(packet) => connection::receive(self, socket, packet),
            Err(ParseError::NeedsMoreBinaryData) => {}
            Err(error) => connection::abort(socket, &error.to_string()),
        }
    }
}

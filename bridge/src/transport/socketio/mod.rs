//! Socket.IO: translates between its packets and sessions.
//!
//! Engine.IO, with its transports and heartbeats, and the reading of packets are a library's. The server that would
//! come with them is not used: it hands a client's events to tasks that run in no order, has no place for a
//! refusal's code, and writes an event anew for each client that gets it.
//!
//! | module | what it does |
//! |---|---|
//! | [`packet`] | reads and writes packets |
//! | [`connection`] | follows one client from its connection to its end |
//! | [`outbound`] | the way from a session to its client |
//! | [`polling`] | holds long-polling to its limits |

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

pub(crate) use self::polling::is_of_session;
use self::{connection::Connection, outbound::Emitter, packet::Namespace};
use crate::{gateway::Gateway, session::SOCKET_QUEUE};

/// Where clients look for it, unless they are told otherwise.
const PATH: &str = "/socket.io";

/// How long a client may take to switch from polling to a WebSocket.
const UPGRADE_LIMIT: Duration = Duration::from_secs(10);

/// Events take no attachments. So many are read before that is said, so that the connection lives on.
const MAX_ATTACHMENTS: usize = 16;

type Socket = engineioxide::Socket<Connection>;

/// Serves one namespace and refuses all others.
struct Server {
    gateway: Arc<Gateway>,
    namespace: Namespace,
    parsing: ParseConfig,
}

/// Routes to the server.
pub(crate) fn routes(namespace: String, gateway: Arc<Gateway>) -> Router {
    let limits = gateway.limits;
    let service = service(namespace, gateway);
    Router::new()
        .route_service(PATH, service.clone())
        .route_service(&format!("{PATH}/"), service)
        .layer(middleware::from_fn_with_state(limits, polling::hold_to_limits))
}

fn service(namespace: String, gateway: Arc<Gateway>) -> EngineIoService<Server> {
    let limits = gateway.limits;
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
    let server = Server { gateway, namespace: Namespace::new(namespace), parsing };
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
        connection::expect_connect(&socket, self.gateway.limits.handshake);
    }

    fn on_disconnect(&self, socket: Arc<Socket>, reason: DisconnectReason) {
        tracing::debug!(socket_id = %socket.id, ?reason, "socketio.closed");
        socket.data.end();
    }

    fn on_message(self: &Arc<Self>, message: Str, socket: Arc<Socket>) {
        let packet = CommonParser.decode_str(&self.parsing, &socket.data.parser, message);
        self.take(packet, &socket);
    }

    fn on_binary(self: &Arc<Self>, data: Bytes, socket: Arc<Socket>) {
        let packet = CommonParser.decode_bin(&self.parsing, &socket.data.parser, data);
        self.take(packet, &socket);
    }
}

impl Server {
    fn emitter(&self, socket: &Arc<Socket>, session: Sid) -> Emitter {
        let connect_limit = self.gateway.limits.handshake;
        Emitter { socket: Arc::clone(socket), session, namespace: self.namespace.clone(), connect_limit }
    }

    fn take(self: &Arc<Self>, packet: Result<Packet, ParseError>, socket: &Arc<Socket>) {
        match packet {
            Ok(packet) => connection::receive(self, socket, packet),
            Err(ParseError::NeedsMoreBinaryData) => {}
            Err(error) => connection::break_off(socket, &error.to_string()),
        }
    }
}

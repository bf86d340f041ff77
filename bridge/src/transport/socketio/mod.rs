//! Socket.IO: translates between its packets and sessions. `rollcall_sockets` does Engine.IO below it, with its
//! transports and heartbeats.
//!
//! | module | what it does |
//! |---|---|
//! | [`packet`] | parses and encodes packets |
//! | [`attachments`] | counts the binary messages of events, which no event takes |
//! | [`connection`] | follows one client from its connection to its end |
//! | [`outbound`] | the way from a session to its client |

mod attachments;
mod connection;
mod outbound;
pub(crate) mod packet;

use std::{sync::Arc, time::Instant};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::any,
};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, Uri, header};
use rollcall_protocol::{ErrorCode, Refusal};
use rollcall_sockets::{
    engineio::{self, Closed, Handler, Settings},
    heartbeat::Timing,
};
use tokio_util::sync::CancellationToken;

use self::{
    connection::{Connection, SessionNumber},
    outbound::Emitter,
    packet::{Kind, Namespace, Packet},
};
use super::{QUEUE_LIMITS, Sockets};
use crate::{
    limits::Carrier,
    telemetry::metrics::{self, Transport},
};

/// The path that clients use by default.
const PATH: &str = "/socket.io";

type Socket = engineio::Socket<Connection>;

/// What answers requests.
#[derive(Clone)]
struct Endpoint {
    engine: Arc<engineio::Server<Server>>,
    draining: CancellationToken,
}

/// Serves one namespace and refuses all others.
struct Server {
    sockets: Sockets,
    namespace: Namespace,
}

/// Routes of the server.
pub(super) fn routes(sockets: Sockets, namespace: &str) -> Router {
    let limits = sockets.limits;
    let settings = Settings {
        timing: Timing { interval: limits.ping_interval, timeout: limits.ping_timeout },
        max_payload_bytes: limits.max_payload_bytes,
        body_timeout: limits.handshake_timeout,
        queue: QUEUE_LIMITS,
    };
    let draining = sockets.context.shutdown.draining.clone();
    let server = Server { sockets, namespace: Namespace::new(namespace) };
    let engine = Arc::new(engineio::Server::new(server, settings));
    Router::new()
        .route(PATH, any(handle))
        .route(&format!("{PATH}/"), any(handle))
        .with_state(Endpoint { engine, draining })
}

async fn handle(State(Endpoint { engine, draining }): State<Endpoint>, request: Request) -> Response {
    match engine.find(request.uri()) {
        Some(socket) if !adopt(&socket, &request) => return refuse_for_now(ErrorCode::TooManyFromAddress),
        // Another bridge may have opened the session in place of this one. Proxies ask another bridge after a 503.
        None if draining.is_cancelled() && engineio::names_session(request.uri()) => {
            return refuse_for_now(ErrorCode::Unavailable);
        }
        _ => {}
    }
    let response = engine.handle(request).await;
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return refuse(ErrorCode::PayloadTooLarge);
    }
    response.map(Body::new)
}

/// Counts the connection of a request among those of the session that the request names. Returns whether the request may
/// go on: all connections of the session may carry requests already.
fn adopt(socket: &Socket, request: &Request) -> bool {
    let permit = socket.data().permit.as_ref().zip(request.extensions().get::<Carrier>());
    permit.is_none_or(|(permit, connection)| permit.adopt(connection))
}

fn refuse_for_now(code: ErrorCode) -> Response {
    let mut response = refuse(code);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn refuse(code: ErrorCode) -> Response {
    let refusal = Refusal::from(code);
    let body = serde_json::to_string(&refusal).unwrap_or_default();
    (refusal.code.status(), [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Whether a request names a session, as all requests of a polling client after the first one do.
pub(crate) fn names_session(uri: &Uri) -> bool {
    uri.path().trim_end_matches('/') == PATH && engineio::names_session(uri)
}

impl Handler for Server {
    type Data = Connection;

    fn data(&self, request: &http::Request<()>) -> Connection {
        Connection::new(request)
    }

    fn opened(self: &Arc<Self>, socket: &Arc<Socket>) {
        connection::close_without_session(socket, self.sockets.limits.handshake_timeout);
    }

    fn text(self: &Arc<Self>, socket: &Arc<Socket>, text: &str) {
        let attachments = &socket.data().attachments;
        if attachments.are_missing() {
            return connection::abort(socket, "text in place of an attachment");
        }
        match Packet::parse(text) {
            Some(Packet { kind: Kind::Binary { attachments: count, is_event }, namespace, id, .. })
                if self.namespace.is(namespace) =>
            {
                if attachments.expect(count, is_event.then_some(id)).is_err() {
                    connection::abort(socket, "too many attachments");
                }
            }
            Some(packet) => connection::receive(self, socket, packet),
            None => connection::abort(socket, "not a packet"),
        }
    }

    fn binary(self: &Arc<Self>, socket: &Arc<Socket>, _: Bytes) {
        match socket.data().attachments.receive() {
            Ok(None) => {}
            Ok(Some(id)) => {
                let refusal = Refusal::because(ErrorCode::Malformed, "no event takes binary data");
                connection::receive_event(self, socket, Err(refusal), id);
            }
            Err(_) => connection::abort(socket, "binary data without an event"),
        }
    }

    fn closed(&self, socket: &Socket, reason: Closed) {
        tracing::debug!(socket_id = socket.id(), ?reason, "socketio.closed");
        socket.data().end();
    }

    fn sent(&self, received_at: Instant) {
        metrics::record_fan_out(Transport::SocketIo, received_at);
    }
}

impl Server {
    fn emitter(&self, socket: &Arc<Socket>, session: SessionNumber) -> Emitter {
        let handshake_timeout = self.sockets.limits.handshake_timeout;
        Emitter { socket: Arc::clone(socket), session, namespace: self.namespace.clone(), handshake_timeout }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requests_to_the_path_of_socketio_name_sessions() {
        let names_session = |uri: &'static str| names_session(&Uri::from_static(uri));
        assert!(names_session("/socket.io/?EIO=4&transport=polling&sid=x"));
        assert!(names_session("/socket.io?sid=x"));
        assert!(!names_session("/ws?sid=x"));
    }
}

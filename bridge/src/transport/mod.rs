//! Translates between sockets and sessions.
//!
//! | module | what it does |
//! |---|---|
//! | [`args`] | flags of both transports |
//! | [`socketio`] | Socket.IO under `/socket.io/` |
//! | [`websocket`] | plain WebSockets under `/ws` |

mod args;
pub(crate) mod socketio;
pub(crate) mod websocket;

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::any};
use rollcall_sockets::queue::QueueLimits;

pub(crate) use self::args::{PING_INTERVAL, PING_TIMEOUT, SocketLimits, TransportArgs};
use crate::session::Context;

/// How much may wait for one client. All clients share the encoded form of a room's event, so what waits costs less
/// memory than its bytes.
const QUEUE_LIMITS: QueueLimits = QueueLimits { max_bytes: 256 * 1024, max_age: Duration::from_secs(10) };

/// What the transports need to serve a socket.
#[derive(Clone)]
pub(crate) struct Sockets {
    pub(crate) context: Arc<Context>,
    pub(crate) limits: SocketLimits,
}

/// Routes of both transports. Socket.IO serves the namespace and refuses all others.
pub(crate) fn routes(sockets: Sockets, namespace: &str) -> Router {
    Router::new()
        .route("/ws", any(websocket::upgrade))
        .with_state(sockets.clone())
        .merge(socketio::routes(sockets, namespace))
}

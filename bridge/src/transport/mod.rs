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

use std::sync::Arc;

use axum::{Router, routing::any};

pub(crate) use self::args::{PING_INTERVAL, PING_TIMEOUT, SocketLimits, TransportArgs};
use crate::session::Context;

/// What the transports need to serve a socket.
#[derive(Clone)]
pub(crate) struct Sockets {
    pub(crate) context: Arc<Context>,
    pub(crate) limits: SocketLimits,
}

/// Routes of both transports. Socket.IO serves the namespace and refuses all others.
pub(crate) fn routes(sockets: Sockets, namespace: String) -> Router {
    Router::new()
        .route("/ws", any(websocket::upgrade))
        .with_state(sockets.clone())
        .merge(socketio::routes(sockets, namespace))
}

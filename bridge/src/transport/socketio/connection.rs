//! One client of Socket.IO, from its connection to its end.
//!
//! A client opens a connection and asks for a namespace with a CONNECT packet. After the answer, the client has a
//! session. When the session has ended, the client may send CONNECT again over the same connection.

use std::{
    mem,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use engineioxide::{DisconnectReason, Str};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use rollcall_protocol::json;
use serde::Deserialize;
use socketioxide_core::{
    Sid, Value,
    packet::{Packet, PacketData},
    parser::ParserState,
};
use tokio::time::{Instant, sleep};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Server, Socket, packet};
use crate::{
    session::{Inbox, Reply, Session, auth},
    telemetry::trace::{Activity, ClientTrace},
};

/// Limits of CONNECT packets per connection, because the bridge asks the app for each of them.
const CONNECTS_PER_SECOND: NonZeroU32 = NonZeroU32::MIN;
const CONNECTS_AT_ONCE: NonZeroU32 = NonZeroU32::new(5).unwrap();

/// Longest name of an unknown namespace that the bridge repeats in its refusal.
const MAX_NAMESPACE_BYTES: usize = 128;

/// The state of one connection.
pub(crate) struct Connection {
    /// Holds a packet whose attachments have not all arrived.
    pub(super) parser: ParserState,
    connects: DefaultDirectRateLimiter,
    progress: Mutex<Progress>,
}

/// The phases of a connection.
enum Phase {
    /// The client has not sent CONNECT, or was refused.
    Opened,
    /// The bridge authenticates the client. Dropping the guard cancels that.
    Connecting { _attempt: DropGuard },
    /// The client has a session with this id.
    Connected(Sid, Inbox),
    /// The client's session has ended.
    Ended,
}

/// The phase of a connection, and since when the client has had no session.
struct Progress {
    phase: Phase,
    /// A refused CONNECT does not change this time; otherwise a client that sends CONNECT now and then could stay
    /// forever.
    idle_since: Instant,
}

impl Progress {
    fn is_in(&self, session: Sid) -> bool {
        matches!(self.phase, Phase::Connected(current, _) if current == session)
    }

    fn is_idle_for(&self, time: Duration) -> bool {
        matches!(self.phase, Phase::Opened | Phase::Ended) && self.idle_since.elapsed() >= time
    }

    /// Ends the session or the attempt to get one. Returns whether there was one.
    fn end(&mut self) -> bool {
        let ended = mem::replace(&mut self.phase, Phase::Ended);
        if matches!(ended, Phase::Connected(..)) {
            self.idle_since = Instant::now();
        }
        matches!(ended, Phase::Connecting { .. } | Phase::Connected(..))
    }
}

impl Default for Connection {
    fn default() -> Self {
        let quota = Quota::per_second(CONNECTS_PER_SECOND).allow_burst(CONNECTS_AT_ONCE);
        Self {
            parser: ParserState::default(),
            connects: RateLimiter::direct(quota),
            progress: Mutex::new(Progress { phase: Phase::Opened, idle_since: Instant::now() }),
        }
    }
}

impl Connection {
    /// Ends the session or the attempt to get one.
    pub(super) fn end(&self) {
        self.progress().end();
    }

    /// Runs `send` unless the client has ended the session. So a late packet of an ended session never reaches the next
    /// session on the same connection.
    pub(super) fn in_session<T>(&self, session: Sid, send: impl FnOnce() -> T) -> Option<T> {
        let progress = self.progress();
        progress.is_in(session).then(send)
    }

    /// Ends a session and runs `send` for its last packets, unless the client has ended the session.
    pub(super) fn end_session<T>(&self, session: Sid, send: impl FnOnce() -> T) -> Option<T> {
        let mut progress = self.progress();
        progress.is_in(session).then(|| {
            progress.end();
            send()
        })
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        // Nothing panics while it holds the lock.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The payload of a CONNECT packet.
#[derive(Deserialize)]
struct Auth {
    token: Option<String>,
}

/// Closes the connection if the client has no session after a time.
pub(super) fn close_without_session(socket: &Arc<Socket>, limit: Duration) {
    let socket = Arc::downgrade(socket);
    tokio::spawn(async move {
        sleep(limit).await;
        let Some(socket) = socket.upgrade() else { return };
        // If the client had a session meanwhile, the check that began at the end of the session counts.
        let is_idle = socket.data.progress().is_idle_for(limit);
        if is_idle {
            abort(&socket, "no session");
        }
    });
}

/// Closes a connection on which the client violates the protocol.
pub(super) fn abort(socket: &Socket, reason: &str) {
    tracing::debug!(socket_id = %socket.id, reason, "socketio.aborted");
    socket.data.end();
    socket.close(DisconnectReason::PacketParsingError);
}

/// Handles a packet, in the order in which the client sent them.
pub(super) fn receive(server: &Arc<Server>, socket: &Arc<Socket>, Packet { inner, ns }: Packet) {
    let is_ours = server.namespace.is(&ns);
    match inner {
        PacketData::Connect(_) if socket.data.connects.check().is_err() => {
            abort(socket, "too many CONNECT packets");
        }
        PacketData::Connect(auth) if is_ours => connect(server, socket, auth),
        PacketData::Connect(_) => refuse_namespace(socket, &ns),
        _ if !is_ours => abort(socket, "a namespace without a session"),
        PacketData::Disconnect => disconnect(server, socket),
        PacketData::Event(event, ack) | PacketData::BinaryEvent(event, ack) => {
            receive_event(server, socket, &event, ack);
        }
        // The server asks for no acks.
        PacketData::EventAck(..) | PacketData::BinaryAck(..) | PacketData::ConnectError(_) => {}
    }
}

fn disconnect(server: &Server, socket: &Arc<Socket>) {
    let has_ended = socket.data.progress().end();
    if has_ended {
        close_without_session(socket, server.sockets.limits.handshake_timeout);
    }
}

/// The refusal repeats the name. Hundreds of refusals with names as long as a message could wait for a client that does
/// not read, so only short names are repeated.
fn refuse_namespace(socket: &Socket, name: &Str) {
    if name.len() > MAX_NAMESPACE_BYTES || socket.emit(packet::invalid_namespace(name)).is_err() {
        abort(socket, "an unknown namespace");
    }
}

fn connect(server: &Arc<Server>, socket: &Arc<Socket>, auth: Option<Value>) {
    let mut progress = socket.data.progress();
    if !matches!(progress.phase, Phase::Opened | Phase::Ended) {
        drop(progress);
        return abort(socket, "a second CONNECT");
    }
    let attempt = CancellationToken::new();
    progress.phase = Phase::Connecting { _attempt: attempt.clone().drop_guard() };
    drop(progress);
    let (server, socket) = (Arc::clone(server), Arc::clone(socket));
    tokio::spawn(async move {
        let token = read_token(auth, &socket);
        attempt.run_until_cancelled(authenticate(&server, &socket, token, &attempt)).await
    });
}

fn read_token(auth: Option<Value>, socket: &Socket) -> Option<String> {
    let auth = match auth {
        Some(Value::Str(auth, _)) => json::from_object_str::<Auth>(&auth).ok(),
        _ => None,
    };
    auth.and_then(|auth| auth.token).or_else(|| auth::bearer_token(&socket.req_parts.headers))
}

async fn authenticate(
    server: &Server,
    socket: &Arc<Socket>,
    token: Option<String>,
    attempt: &CancellationToken,
) {
    let context = &server.sockets.context;
    let trace = ClientTrace::from_headers(&socket.req_parts.headers);
    let outcome = trace.in_span(Activity::Connect, auth::authenticate(context, token)).await;
    let mut progress = socket.data.progress();
    if attempt.is_cancelled() {
        // The client is gone, or has sent DISCONNECT and perhaps CONNECT again.
        return;
    }
    let answer = match outcome {
        Ok(authenticated) => {
            // The answer is queued before the session begins, so no event of the session overtakes it.
            let session = Sid::new();
            let answer = socket.emit(server.namespace.connected(session));
            let emitter = server.emitter(socket, session);
            let inbox = Session::start(Arc::clone(context), authenticated, trace, emitter);
            progress.phase = Phase::Connected(session, inbox);
            answer
        }
        Err(refusal) => {
            tracing::debug!(socket_id = %socket.id, code = %refusal.code, "socketio.refused");
            progress.phase = Phase::Opened;
            close_without_session(socket, server.sockets.limits.handshake_timeout);
            socket.emit(server.namespace.refused(&refusal))
        }
    };
    drop(progress);
    if answer.is_err() {
        abort(socket, "the queue is full");
    }
}

fn receive_event(server: &Server, socket: &Arc<Socket>, event: &Value, ack: Option<i64>) {
    let current = match &socket.data.progress().phase {
        Phase::Connected(session, inbox) => Some((*session, inbox.clone())),
        // The event was on its way when the session ended.
        Phase::Ended => return,
        Phase::Opened | Phase::Connecting { .. } => None,
    };
    let Some((session, inbox)) = current else { return abort(socket, "an event before CONNECT") };
    let reply: Reply = match ack {
        Some(id) => {
            let emitter = server.emitter(socket, session);
            Box::new(move |data| emitter.ack(id, data))
        }
        None => Box::new(|_| Ok(())),
    };
    if inbox.push(packet::parse(event), reply).is_err() {
        // The next room event finds the queue full as well and closes the socket.
        tracing::debug!(socket_id = %socket.id, "socketio.ack_dropped");
    }
}

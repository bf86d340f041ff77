//! One client of Socket.IO, from its connection to its end.
//!
//! A client opens a connection, names a namespace in a CONNECT packet, and is answered. From then on it has a
//! session. When the session has ended, the client may connect again over the same connection.

use std::{
    mem,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use engineioxide::{DisconnectReason, Str};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
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
    auth,
    session::{Inbox, Reply, Session},
    telemetry::trace::{ClientTrace, Doing},
};

/// How often a client may ask to connect over one connection, as each time the app is asked.
const CONNECTS_PER_SECOND: NonZeroU32 = NonZeroU32::MIN;
const CONNECTS_AT_ONCE: NonZeroU32 = NonZeroU32::new(5).unwrap();

/// How long the name of a namespace may be that is not served and is refused by its name.
const MAX_NAMESPACE_BYTES: usize = 128;

/// What belongs to one connection.
pub(crate) struct Connection {
    /// Holds a packet of which attachments are missing.
    pub(super) parser: ParserState,
    connects: DefaultDirectRateLimiter,
    progress: Mutex<Progress>,
}

/// How far a client has come.
enum Phase {
    /// It has not asked to connect, or was refused.
    Opened,
    /// It has asked, and the app is asked who it is; the guard calls that off.
    Connecting { _attempt: DropGuard },
    /// It has a session, which goes by the id that the client was told.
    Connected(Sid, Inbox),
    /// Its session has ended.
    Ended,
}

/// How far a client has come, and since when it has had no session.
struct Progress {
    phase: Phase,
    /// A try that comes to nothing does not make it later: else who tries now and then would stay for ever.
    idle_since: Instant,
}

impl Progress {
    fn is_in(&self, session: Sid) -> bool {
        matches!(self.phase, Phase::Connected(current, _) if current == session)
    }

    fn is_idle_for(&self, time: Duration) -> bool {
        matches!(self.phase, Phase::Opened | Phase::Ended) && self.idle_since.elapsed() >= time
    }

    /// Returns whether there was anything to end.
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
    /// Ends whatever there is.
    pub(super) fn end(&self) {
        self.progress().end();
    }

    /// Says something for a session, unless the client has ended it: what a session still has to say when it learns
    /// that it is over is not for the next one.
    pub(super) fn say<T>(&self, session: Sid, what: impl FnOnce() -> T) -> Option<T> {
        let progress = self.progress();
        progress.is_in(session).then(what)
    }

    /// Ends a session with its last words, unless the client has.
    pub(super) fn say_last<T>(&self, session: Sid, what: impl FnOnce() -> T) -> Option<T> {
        let mut progress = self.progress();
        progress.is_in(session).then(|| {
            progress.end();
            what()
        })
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        // Nothing panics while it holds the lock.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a client sends along when it connects.
#[derive(Deserialize)]
struct Auth {
    token: Option<String>,
}

/// Closes a connection that goes for too long without a session.
pub(super) fn expect_connect(socket: &Arc<Socket>, limit: Duration) {
    let socket = Arc::downgrade(socket);
    tokio::spawn(async move {
        sleep(limit).await;
        let Some(socket) = socket.upgrade() else { return };
        // If it had a session meanwhile, the next of these counts.
        let is_idle = socket.data.progress().is_idle_for(limit);
        if is_idle {
            break_off(&socket, "no session");
        }
    });
}

/// Closes a connection on which something is said that the protocol does not know.
pub(super) fn break_off(socket: &Socket, reason: &str) {
    tracing::debug!(socket_id = %socket.id, reason, "socketio.broken_off");
    socket.data.end();
    socket.close(DisconnectReason::PacketParsingError);
}

/// Takes a packet, in the order in which the client sent it.
pub(super) fn receive(server: &Arc<Server>, socket: &Arc<Socket>, Packet { inner, ns }: Packet) {
    let is_ours = server.namespace.is(&ns);
    match inner {
        PacketData::Connect(_) if socket.data.connects.check().is_err() => {
            break_off(socket, "connects too often");
        }
        PacketData::Connect(auth) if is_ours => connect(server, socket, auth),
        PacketData::Connect(_) => refuse_namespace(socket, &ns),
        _ if !is_ours => break_off(socket, "a namespace without a connection"),
        PacketData::Disconnect => disconnect(server, socket),
        PacketData::Event(event, ack) | PacketData::BinaryEvent(event, ack) => {
            take(server, socket, &event, ack);
        }
        // Nothing that the server sends asks for an answer.
        PacketData::EventAck(..) | PacketData::BinaryAck(..) | PacketData::ConnectError(_) => {}
    }
}

fn disconnect(server: &Server, socket: &Arc<Socket>) {
    let has_ended = socket.data.progress().end();
    if has_ended {
        expect_connect(socket, server.gateway.limits.handshake);
    }
}

/// The answer repeats the name, so that of a name as long as a message a few hundred answers would wait for a client that
/// does not read them.
fn refuse_namespace(socket: &Socket, name: &Str) {
    if name.len() > MAX_NAMESPACE_BYTES || socket.emit(packet::invalid_namespace(name)).is_err() {
        break_off(socket, "a namespace that is not served");
    }
}

fn connect(server: &Arc<Server>, socket: &Arc<Socket>, auth: Option<Value>) {
    let mut progress = socket.data.progress();
    if !matches!(progress.phase, Phase::Opened | Phase::Ended) {
        drop(progress);
        return break_off(socket, "connected already");
    }
    let attempt = CancellationToken::new();
    progress.phase = Phase::Connecting { _attempt: attempt.clone().drop_guard() };
    drop(progress);
    let (server, socket) = (Arc::clone(server), Arc::clone(socket));
    tokio::spawn(async move {
        let token = token(auth, &socket);
        attempt.run_until_cancelled(let_in(&server, &socket, token, &attempt)).await
    });
}

fn token(auth: Option<Value>, socket: &Socket) -> Option<String> {
    let auth = match auth {
        Some(Value::Str(auth, _)) => serde_json::from_str::<Auth>(&auth).ok(),
        _ => None,
    };
    auth.and_then(|auth| auth.token).or_else(|| auth::bearer(&socket.req_parts.headers))
}

async fn let_in(server: &Server, socket: &Arc<Socket>, token: Option<String>, attempt: &CancellationToken) {
    let trace = ClientTrace::of(&socket.req_parts.headers);
    let outcome = trace.follow(Doing::Connect, auth::admit(&server.gateway, token)).await;
    let mut progress = socket.data.progress();
    if attempt.is_cancelled() {
        // The client is gone, or has called it off and may have asked again.
        return;
    }
    let answer = match outcome {
        Ok(admission) => {
            // Before the session begins, so that nothing overtakes it.
            let session = Sid::new();
            let answer = socket.emit(server.namespace.connected(session));
            let emitter = server.emitter(socket, session);
            let inbox = Session::start(Arc::clone(&server.gateway), admission, trace, emitter);
            progress.phase = Phase::Connected(session, inbox);
            answer
        }
        Err(refusal) => {
            tracing::debug!(socket_id = %socket.id, code = %refusal.code, "socketio.refused");
            progress.phase = Phase::Opened;
            expect_connect(socket, server.gateway.limits.handshake);
            socket.emit(server.namespace.refused(&refusal))
        }
    };
    drop(progress);
    if answer.is_err() {
        break_off(socket, "the answer finds no place");
    }
}

fn take(server: &Server, socket: &Arc<Socket>, event: &Value, ack: Option<i64>) {
    let current = match &socket.data.progress().phase {
        Phase::Connected(session, inbox) => Some((*session, inbox.clone())),
        // What was on its way when the session ended.
        Phase::Ended => return,
        Phase::Opened | Phase::Connecting { .. } => None,
    };
    let Some((session, inbox)) = current else { return break_off(socket, "an event before the connection") };
    let reply: Reply = match ack {
        Some(id) => {
            let emitter = server.emitter(socket, session);
            Box::new(move |answer| emitter.ack(id, answer))
        }
        None => Box::new(|_| Ok(())),
    };
    if inbox.push(packet::parse(event), reply).is_err() {
        // The next room event finds the queue full as well, and closes the socket.
        tracing::debug!(socket_id = %socket.id, "socketio.ack_dropped");
    }
}

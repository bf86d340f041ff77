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

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::Request;
use rollcall_protocol::{ErrorCode, Refusal, client::Handshake, json};
use rollcall_sockets::engineio::random_id;
use tokio::time::{Instant, sleep};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    Server, Socket,
    attachments::{AckId, Attachments},
    outbound::send,
    packet::{self, Kind, Packet},
};
use crate::{
    limits::SocketPermit,
    session::{Inbox, RawEvent, Reply, Session, auth},
    telemetry::trace::{Activity, ClientTrace},
};

/// Limits of CONNECT packets per connection, because the bridge asks the app for each of them.
const CONNECTS_PER_SECOND: NonZeroU32 = NonZeroU32::MIN;
const CONNECTS_AT_ONCE: NonZeroU32 = NonZeroU32::new(5).unwrap();

/// Longest name of an unknown namespace that the bridge repeats in its refusal.
const MAX_NAMESPACE_BYTES: usize = 128;

/// Tells the sessions of one connection apart.
pub(super) type SessionNumber = u32;

/// The state of one connection.
pub(super) struct Connection {
    /// The token in the `Authorization` header of the first request.
    bearer_token: Option<String>,
    trace: ClientTrace,
    /// `None` only in tests.
    pub(super) permit: Option<SocketPermit>,
    pub(super) attachments: Attachments,
    connects: DefaultDirectRateLimiter,
    progress: Mutex<Progress>,
}

/// The phases of a connection.
enum Phase {
    /// The client has not sent CONNECT, or was refused.
    Opened,
    /// The bridge authenticates the client. Dropping the guard cancels that.
    Connecting { _attempt: DropGuard },
    /// The client has a session.
    Connected(SessionNumber, Inbox),
    /// The client's session has ended.
    Ended,
}

/// The phase of a connection, and since when the client has had no session.
struct Progress {
    phase: Phase,
    /// The number of the latest session.
    session: SessionNumber,
    /// A refused CONNECT does not change this time; otherwise a client that sends CONNECT now and then could stay
    /// forever.
    idle_since: Instant,
}

impl Progress {
    fn is_in(&self, session: SessionNumber) -> bool {
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

impl Connection {
    /// The state of a connection that a request opens.
    pub(super) fn new(request: &Request<()>) -> Self {
        let quota = Quota::per_second(CONNECTS_PER_SECOND).allow_burst(CONNECTS_AT_ONCE);
        Self {
            bearer_token: auth::bearer_token(request.headers()),
            trace: ClientTrace::from_headers(request.headers()),
            permit: request.extensions().get().cloned(),
            attachments: Attachments::default(),
            connects: RateLimiter::direct(quota),
            progress: Mutex::new(Progress { phase: Phase::Opened, session: 0, idle_since: Instant::now() }),
        }
    }

    /// Ends the session or the attempt to get one.
    pub(super) fn end(&self) {
        self.progress().end();
    }

    /// Runs `send` unless the client has ended the session. So a late packet of an ended session never reaches the next
    /// session on the same connection.
    pub(super) fn in_session<T>(&self, session: SessionNumber, send: impl FnOnce() -> T) -> Option<T> {
        let progress = self.progress();
        progress.is_in(session).then(send)
    }

    /// Ends a session and runs `send` for its last packets, unless the client has ended the session.
    pub(super) fn end_session<T>(&self, session: SessionNumber, send: impl FnOnce() -> T) -> Option<T> {
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

/// Closes the connection if the client has no session after a time, or when a new socket needs its place.
pub(super) fn close_without_session(socket: &Arc<Socket>, limit: Duration) {
    let eviction = socket.data().permit.as_ref().map(SocketPermit::wait_for_token).unwrap_or_default();
    let socket = Arc::downgrade(socket);
    tokio::spawn(async move {
        let is_evicted = eviction.run_until_cancelled(sleep(limit)).await.is_none();
        let Some(socket) = socket.upgrade() else { return };
        if is_evicted {
            tracing::debug!(socket_id = socket.id(), "socketio.evicted");
            socket.data().end();
            return socket.evict();
        }
        // If the client had a session meanwhile, the check that began at the end of the session counts.
        let is_idle = socket.data().progress().is_idle_for(limit);
        if is_idle {
            abort(&socket, "no session");
        }
    });
}

/// Closes a connection on which the client violates the protocol.
pub(super) fn abort(socket: &Socket, reason: &str) {
    tracing::debug!(socket_id = socket.id(), reason, "socketio.aborted");
    socket.data().end();
    socket.close();
}

/// Handles a packet, in the order in which the client sent them.
pub(super) fn receive(server: &Arc<Server>, socket: &Arc<Socket>, packet: Packet<'_>) {
    let Packet { kind, namespace, id, data } = packet;
    let is_ours = server.namespace.is(namespace);
    match kind {
        Kind::Connect if socket.data().connects.check().is_err() => abort(socket, "too many CONNECT packets"),
        Kind::Connect if is_ours => connect(server, socket, data),
        Kind::Connect => refuse_namespace(socket, namespace),
        _ if !is_ours => abort(socket, "a namespace without a session"),
        Kind::Disconnect => disconnect(server, socket),
        Kind::Event => receive_event(server, socket, packet::parse_event(data), id),
        // The server asks for no acks.
        Kind::Ack | Kind::ConnectError | Kind::Binary { .. } => socket.count_needless(),
    }
}

fn disconnect(server: &Server, socket: &Arc<Socket>) {
    let has_ended = socket.data().progress().end();
    if has_ended {
        close_without_session(socket, server.sockets.limits.handshake_timeout);
    }
}

/// The refusal repeats the name. Hundreds of refusals with names as long as a message could wait for a client that does
/// not read, so only short names are repeated.
fn refuse_namespace(socket: &Socket, name: &str) {
    if name.len() > MAX_NAMESPACE_BYTES || socket.is_full() {
        return abort(socket, "an unknown namespace");
    }
    send(socket, &packet::invalid_namespace(name));
}

fn connect(server: &Arc<Server>, socket: &Arc<Socket>, auth: &str) {
    let mut progress = socket.data().progress();
    if !matches!(progress.phase, Phase::Opened | Phase::Ended) {
        drop(progress);
        return abort(socket, "a second CONNECT");
    }
    let attempt = CancellationToken::new();
    progress.phase = Phase::Connecting { _attempt: attempt.clone().drop_guard() };
    drop(progress);
    socket.data().permit.iter().for_each(SocketPermit::check_token);
    let (server, socket) = (Arc::clone(server), Arc::clone(socket));
    let handshake = read_handshake(auth, &socket);
    tokio::spawn(async move {
        attempt.run_until_cancelled(authenticate(&server, &socket, handshake, &attempt)).await
    });
}

fn read_handshake(auth: &str, socket: &Socket) -> Handshake {
    let Handshake { token, version } = json::from_object_str(auth).unwrap_or_default();
    Handshake { token: token.or_else(|| socket.data().bearer_token.clone()), version }
}

async fn authenticate(
    server: &Server,
    socket: &Arc<Socket>,
    handshake: Handshake,
    attempt: &CancellationToken,
) {
    let context = &server.sockets.context;
    let trace = socket.data().trace.clone();
    let outcome = trace.in_span(Activity::Connect, auth::authenticate(context, handshake)).await;
    let mut progress = socket.data().progress();
    if attempt.is_cancelled() {
        // The client is gone, or has sent DISCONNECT and perhaps CONNECT again.
        return;
    }
    match outcome.and_then(|authenticated| Ok((authenticated, new_session_id()?))) {
        Ok((authenticated, id)) => {
            // The answer is queued before the session begins, so no event of the session overtakes it.
            socket.set_known();
            send(socket, &server.namespace.connected(&id));
            progress.session += 1;
            let emitter = server.emitter(socket, progress.session);
            let inbox = Session::start(Arc::clone(context), authenticated, trace, emitter);
            progress.phase = Phase::Connected(progress.session, inbox);
            socket.data().permit.iter().for_each(SocketPermit::begin_session);
        }
        Err(refusal) => {
            tracing::debug!(socket_id = socket.id(), code = %refusal.code, "socketio.refused");
            progress.phase = Phase::Opened;
            close_without_session(socket, server.sockets.limits.handshake_timeout);
            send(socket, &server.namespace.refused(&refusal));
        }
    }
}

fn new_session_id() -> Result<String, Refusal> {
    random_id().map_err(|error| {
        tracing::error!(%error, "no random numbers");
        ErrorCode::Unavailable.into()
    })
}

/// Hands an event to the session. `id`: the id that the ack repeats, if the client wants one.
pub(super) fn receive_event(
    server: &Server,
    socket: &Arc<Socket>,
    event: Result<RawEvent<'_>, Refusal>,
    id: AckId,
) {
    let current = match &socket.data().progress().phase {
        Phase::Connected(session, inbox) => Some((*session, inbox.clone())),
        // The event was on its way when the session ended.
        Phase::Ended => return socket.count_needless(),
        Phase::Opened | Phase::Connecting { .. } => None,
    };
    let Some((session, inbox)) = current else { return abort(socket, "an event before CONNECT") };
    let reply: Reply = match id {
        Some(id) => {
            let emitter = server.emitter(socket, session);
            Box::new(move |ack| emitter.ack(id, ack))
        }
        None => Box::new(|_| ()),
    };
    inbox.push(event, reply);
}

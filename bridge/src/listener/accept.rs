//! Accepts connections and serves HTTP on them.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body};
use futures_util::FutureExt;
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rollcall_protocol::ErrorCode;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use super::{
    address::{Peer, to_network},
    admission::AdmissionLimits,
    lifetime::{ConnectionLimits, IdleConnections, Lifetime},
    stream::{ClientStream, ConnectionPermit, SharedPermit},
    tls::Tls,
    watched::{WatchedBody, WatchedStream},
};
use crate::{limits::permits::Permits, telemetry::metrics};

/// Pause after a failed accept. The process may be out of files, for example, and some files soon become free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections in addition to those of sockets: short requests like health checks, and requests for a socket that are
/// refused. When permits are short, idle ones of these connections give up theirs.
const MAX_CONNECTIONS_WITHOUT_SOCKET: usize = 256;

/// Share of one address in [`MAX_CONNECTIONS_WITHOUT_SOCKET`].
const MAX_CONNECTIONS_WITHOUT_SOCKET_PER_ADDRESS: usize = 64;

/// A polling client receives over one connection and sends over another. Both stay open for a while after the client
/// has upgraded to a WebSocket on a third connection.
const CONNECTIONS_PER_SOCKET: usize = 4;

/// Largest head of a request: a token, cookies of the site, and what proxies add. The head of a polling client's first
/// request stays in memory for as long as the client is connected. The size is checked after each read, so that up to
/// twice as much may pass.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Serves a router on all connections of a listener.
pub(crate) struct Server {
    pub(crate) router: Router,
    pub(crate) tls: Option<Tls>,
    pub(crate) connection_limits: ConnectionLimits,
    /// How long a client may acknowledge nothing of the data sent to it.
    pub(crate) silence_limit: Duration,
    pub(crate) limits: AdmissionLimits,
    /// Stops the server.
    pub(crate) stopping: CancellationToken,
}

/// Serves until the server is stopped, and then lets running requests finish.
pub(crate) async fn run(listener: TcpListener, server: Server) {
    let permits = ConnectionPermits::new(server.limits);
    let server = Arc::new(server);
    let idle = Arc::new(IdleConnections::default());
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = server.stopping.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let permit = match permits.acquire(peer, &idle) {
                    Ok(permit) => SharedPermit::new(permit),
                    Err(code) => {
                        // Closes the connection without a response: even a short request needs a permit.
                        metrics::record_connection_refused(code);
                        continue;
                    }
                };
                let stream = ClientStream::new(stream, permit.clone(), server.silence_limit);
                let idle = Arc::clone(&idle);
                let connection = Connection { peer: Peer(peer), permit, idle, server: Arc::clone(&server) };
                tasks.spawn(connection.handle(stream));
            }
            Err(error) => {
                tracing::warn!(%error, "connection.not_accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

/// Limits open connections, whether or not they become sockets.
struct ConnectionPermits {
    total: Permits<()>,
    /// `None` behind proxies: the address of a proxy stands for many clients.
    per_address: Option<Permits<IpAddr>>,
}

impl ConnectionPermits {
    fn new(limits: AdmissionLimits) -> Self {
        let per_address = limits.max_sockets_per_address.saturating_mul(CONNECTIONS_PER_SOCKET);
        let per_address = per_address.saturating_add(MAX_CONNECTIONS_WITHOUT_SOCKET_PER_ADDRESS);
        Self {
            total: Permits::new(limits.max_sockets.saturating_add(MAX_CONNECTIONS_WITHOUT_SOCKET)),
            per_address: (limits.proxies.count == 0).then(|| Permits::new(per_address)),
        }
    }

    /// Acquires a permit, in the worst case that of an idle connection.
    fn acquire(&self, peer: SocketAddr, idle: &IdleConnections) -> Result<ConnectionPermit, ErrorCode> {
        loop {
            match self.try_acquire(peer) {
                Err(ErrorCode::Overloaded) if idle.evict_longest_idle() => {}
                acquired => return acquired,
            }
        }
    }

    fn try_acquire(&self, peer: SocketAddr) -> Result<ConnectionPermit, ErrorCode> {
        let address = || to_network(peer.ip().to_canonical());
        let of_address = self.per_address.as_ref().map(|permits| permits.try_acquire(address()));
        let of_address = of_address.map(|permit| permit.ok_or(ErrorCode::TooManyFromAddress)).transpose()?;
        let of_total = self.total.try_acquire(()).ok_or(ErrorCode::Overloaded)?;
        Ok(ConnectionPermit { _of_total: of_total, _of_address: of_address })
    }
}

/// What serving one connection needs.
struct Connection {
    peer: Peer,
    permit: SharedPermit,
    idle: Arc<IdleConnections>,
    server: Arc<Server>,
}

impl Connection {
    async fn handle(self, stream: ClientStream) {
        let handshake_limit = self.server.connection_limits.handshake;
        match &self.server.tls {
            None => self.serve_http(stream).await,
            Some(tls) => match timeout(handshake_limit, tls.accept(stream)).await {
                Ok(Ok(stream)) => self.serve_http(stream).await,
                Ok(Err(error)) => tracing::debug!(%error, "tls.refused"),
                Err(_) => tracing::debug!("tls.too_slow"),
            },
        }
    }

    async fn serve_http(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let lifetime = Lifetime::new(self.permit.clone(), Arc::clone(&self.idle));
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(self.peer);
            let router = self.server.router.clone();
            let watched = lifetime.begin_request();
            async move {
                let response = router.oneshot(request.map(Body::new)).await.unwrap_or_else(|no| match no {});
                Ok::<_, Infallible>(response.map(|body| WatchedBody { body, _request: watched }))
            }
        });
        let stream = WatchedStream { stream, lifetime: Arc::clone(&lifetime) };
        // hyper-util's builder, which detects the version of HTTP, waits without a limit for the first byte.
        let connection = http1::Builder::new()
            // hyper's own limit includes the time before the first byte of a head.
            .header_read_timeout(None)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let outcome = tokio::select! {
            outcome = connection.as_mut() => Some(outcome),
            () = lifetime.expired(self.server.connection_limits) => None,
            () = self.server.stopping.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    outcome = connection.as_mut() => Some(outcome),
                    () = lifetime.expired(self.server.connection_limits) => None,
                }
            }
        };
        let outcome = outcome.unwrap_or_else(|| {
            // Closes an idle connection in good order, and any other one by dropping it.
            connection.as_mut().graceful_shutdown();
            connection.now_or_never().unwrap_or(Ok(()))
        });
        if let Err(error) = outcome {
            tracing::debug!(%error, "connection.ended");
        }
    }
}

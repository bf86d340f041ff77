//! Accepts connections and serves HTTP on them.

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use futures_util::FutureExt;
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use super::{
    address::{TrustedProxies, to_network},
    lifetime::{ConnectionLimits, Lifetime},
    stream::ClientStream,
    tls::Tls,
    watched::{WatchedBody, WatchedStream},
};
use crate::{
    limits::{
        Carrier, ClientNetwork,
        places::{Place, PlaceLimits, Places},
    },
    telemetry::metrics,
};

/// Pause after a failed accept. The process may be out of files, for example, and some files soon become free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Largest head of a request: a token, cookies of the site, and what proxies add. The head of a polling client's first
/// request stays in memory for as long as the client is connected. The size is checked after each read, so that up to
/// twice as much may pass.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Serves a router on all connections of a listener.
pub(crate) struct Server {
    pub(crate) router: Router,
    pub(crate) tls: Option<Tls>,
    pub(crate) places: PlaceLimits,
    pub(crate) connection_limits: ConnectionLimits,
    /// How long a client may acknowledge nothing of the data sent to it.
    pub(crate) silence_limit: Duration,
    pub(crate) proxies: TrustedProxies,
    /// Stops the server.
    pub(crate) stopping: CancellationToken,
}

/// Serves until the server is stopped, and then lets running requests finish.
pub(crate) async fn run(listener: TcpListener, server: Server) {
    let places = Places::new(server.places);
    let server = Arc::new(server);
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = server.stopping.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => match places.acquire(to_network(peer.ip().to_canonical())) {
                Ok(place) => {
                    let stream = ClientStream::new(stream, Arc::clone(&place), server.silence_limit);
                    let connection = Connection { peer, place, server: Arc::clone(&server) };
                    tasks.spawn(connection.handle(stream));
                }
                // Closes the connection without a response: even a short request needs a place.
                Err(code) => metrics::record_connection_refused(code),
            },
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

/// What serving one connection needs.
struct Connection {
    peer: SocketAddr,
    place: Arc<Place>,
    server: Arc<Server>,
}

impl Connection {
    async fn handle(self, stream: ClientStream) {
        let handshake_limit = self.server.connection_limits.handshake;
        match &self.server.tls {
            None => self.serve_http(stream).await,
            Some(tls) => {
                let accepted = tokio::select! {
                    accepted = timeout(handshake_limit, tls.accept(stream)) => accepted,
                    () = self.place.evicted() => return,
                };
                match accepted {
                    Ok(Ok(stream)) => self.serve_http(stream).await,
                    Ok(Err(error)) => tracing::debug!(%error, "tls.refused"),
                    Err(_) => tracing::debug!("tls.too_slow"),
                }
            }
        }
    }

    async fn serve_http(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let lifetime = Lifetime::new(Arc::clone(&self.place), self.server.connection_limits);
        let service = service_fn(|mut request: Request<Incoming>| {
            let client = to_network(self.server.proxies.client_address(request.headers(), self.peer));
            let lifetime = Arc::clone(&lifetime);
            let watched = lifetime.begin_request(client);
            let carrier: Carrier = lifetime.clone();
            request.extensions_mut().insert(carrier);
            request.extensions_mut().insert(ClientNetwork(client));
            let router = self.server.router.clone();
            async move {
                let response = router.oneshot(request.map(Body::new)).await;
                let mut response = response.unwrap_or_else(|no| match no {});
                lifetime.begin_response(&mut response);
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
            () = lifetime.expired() => None,
            () = self.server.stopping.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    outcome = connection.as_mut() => Some(outcome),
                    () = lifetime.expired() => None,
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

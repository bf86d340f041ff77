//! Accepts connections and serves HTTP on them.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body};
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rollcall_protocol::ErrorCode;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use super::{
    DoorLimits,
    address::network,
    stream::{ClientStream, Place},
    tls::Tls,
};
use crate::{tally::Tally, telemetry::metrics};

/// Out of files, for example: some come back soon.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many connections may be open beyond the sockets: those that ask for something short, like whether the bridge
/// is well, or for a place that there is not. They are soon gone.
const SHORT_CONNECTIONS: usize = 256;

/// How many of those may come from one address.
const SHORT_CONNECTIONS_PER_ADDRESS: usize = 64;

/// A client that polls asks for what is new over one connection and sends over another, and both stay open for a while
/// when it has gone over to a WebSocket on a third.
const CONNECTIONS_PER_SOCKET: usize = 4;

/// How large the head of a request may be: a token, a site's cookies and what proxies add. A client that polls has its
/// first one kept for as long as it is connected. It is looked at after each read, so that up to twice as much may pass.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// The other end of the connection that a request came over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// What connections are served with.
pub(crate) struct Service {
    pub(crate) router: Router,
    pub(crate) tls: Option<Tls>,
    /// How long a client may take for the handshake of TLS, and for the head of each request.
    pub(crate) handshake_limit: Duration,
    /// For how long a client may take nothing of what it is sent.
    pub(crate) silence_limit: Duration,
    /// How many may come in.
    pub(crate) limits: DoorLimits,
    /// Ends it.
    pub(crate) stopping: CancellationToken,
}

/// Serves until it is to stop, and then lets the requests that are under way finish.
pub(crate) async fn run(listener: TcpListener, service: Service) {
    let places = Places::new(service.limits);
    let service = Arc::new(service);
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = service.stopping.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let place = match places.enter(peer) {
                    Ok(place) => place,
                    Err(code) => {
                        // Without a word: there is no place even for a short request.
                        metrics::connection_refused(code);
                        continue;
                    }
                };
                let stream = ClientStream::new(stream, place, service.silence_limit);
                tasks.spawn(open(stream, Peer(peer), Arc::clone(&service)));
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

/// How many connections are open, whatever comes of them.
struct Places {
    all: Tally<()>,
    /// Not behind proxies, each of which stands for many clients.
    per_address: Option<Tally<IpAddr>>,
}

impl Places {
    fn new(limits: DoorLimits) -> Self {
        let per_address = limits.max_sockets_per_address.saturating_mul(CONNECTIONS_PER_SOCKET);
        let per_address = per_address.saturating_add(SHORT_CONNECTIONS_PER_ADDRESS);
        Self {
            all: Tally::new(limits.max_sockets.saturating_add(SHORT_CONNECTIONS)),
            per_address: (limits.proxies.count == 0).then(|| Tally::new(per_address)),
        }
    }

    fn enter(&self, peer: SocketAddr) -> Result<Place, ErrorCode> {
        let address = || network(peer.ip().to_canonical());
        let of_address = self.per_address.as_ref().map(|tally| tally.enter(address()));
        let of_address = of_address.map(|place| place.ok_or(ErrorCode::TooManyFromAddress)).transpose()?;
        let of_all = self.all.enter(()).ok_or(ErrorCode::Overloaded)?;
        Ok(Place { _of_all: of_all, _of_address: of_address })
    }
}

async fn open(stream: ClientStream, peer: Peer, service: Arc<Service>) {
    match &service.tls {
        None => serve(stream, peer, &service).await,
        Some(tls) => match timeout(service.handshake_limit, tls.accept(stream)).await {
            Ok(Ok(stream)) => serve(stream, peer, &service).await,
            Ok(Err(error)) => tracing::debug!(%error, "tls.refused"),
            Err(_) => tracing::debug!("tls.too_slow"),
        },
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, peer: Peer, service: &Service) {
    let answer = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let router = service.router.clone();
        async move {
            Ok::<_, Infallible>(router.oneshot(request.map(Body::new)).await.unwrap_or_else(|no| match no {}))
        }
    });
    // Not the builder that tells versions of HTTP apart: it waits without a limit for the first byte.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // It counts from the end of the last answer, so that idle connections end as well.
        .header_read_timeout(service.handshake_limit)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), answer)
        .with_upgrades();
    let mut connection = pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = service.stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "connection.ended");
    }
}

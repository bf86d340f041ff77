//! Accepts connections and serves HTTP on them.

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use super::{stream::ClientStream, tls::Tls};
use crate::tally::Tally;

/// Out of files, for example: some come back soon.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many connections may be open beyond the sockets: those that ask for something short, like whether the bridge
/// is well, or for a place that there is not. They are soon gone.
const SHORT_CONNECTIONS: usize = 256;

/// The other end of the connection that a request came over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// What connections are served with.
pub(crate) struct Service {
    pub(crate) router: Router,
    pub(crate) tls: Option<Tls>,
    /// How long a client may take for the handshake of TLS, and for the head of each request.
    pub(crate) handshake_limit: Duration,
    /// How many sockets there may be.
    pub(crate) max_sockets: usize,
    /// Ends it.
    pub(crate) stopping: CancellationToken,
}

/// Serves until it is to stop, and then lets the requests that are under way finish.
pub(crate) async fn run(listener: TcpListener, service: Service) {
    let connections = Tally::new(service.max_sockets.saturating_add(SHORT_CONNECTIONS));
    let service = Arc::new(service);
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = service.stopping.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Who finds no place even for a short request is closed without a word.
                let Some(place) = connections.enter(()) else { continue };
                let stream = ClientStream::new(stream, place);
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

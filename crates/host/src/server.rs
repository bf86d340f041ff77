//! HTTP/1.1 in front of the components.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use crate::{Host, http::plain, runtime::TIME_LIMIT};

/// Twice the size of an operator's largest request.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;
/// How long a client may take to send a request's body.
const READ_LIMIT: Duration = Duration::from_secs(30);
/// How long a client may take from the end of a response to the end of the next request's head. Proxies keep idle
/// connections for up to 60 s, and may send a request at the moment in which a server with a shorter limit closes one.
const HEAD_LIMIT: Duration = Duration::from_secs(75);
/// The pause after a failed `accept`, for example without free file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown`, then finishes the requests in progress.
pub(crate) async fn serve(host: Host, listener: TcpListener, shutdown: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => spawn_connection(host.clone(), stream, &graceful),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    if timeout(READ_LIMIT + TIME_LIMIT, graceful.shutdown()).await.is_err() {
        tracing::warn!("connections still open at shutdown");
    }
}

fn spawn_connection(host: Host, stream: TcpStream, graceful: &GracefulShutdown) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let service = service_fn(move |request| answer(host.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .serve_connection(TokioIo::new(stream), service);
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection ended");
        }
    });
}

async fn answer(host: Host, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let response = match read(request).await {
        Ok(request) => host.handle(request).await,
        Err(refusal) => refusal,
    };
    Ok(response.map(Full::new))
}

async fn read(request: Request<Incoming>) -> Result<Request<Bytes>, Response<Bytes>> {
    let (head, body) = request.into_parts();
    // Refuses a body by its announced length, before the client sends the body.
    if body.size_hint().lower() > MAX_BODY_BYTES as u64 {
        return Err(too_large());
    }
    let body = timeout(READ_LIMIT, Limited::new(body, MAX_BODY_BYTES).collect()).await;
    match body {
        Ok(Ok(body)) => Ok(Request::from_parts(head, body.to_bytes())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(plain(StatusCode::BAD_REQUEST, "the body is incomplete")),
        Err(_) => Err(plain(StatusCode::REQUEST_TIMEOUT, "the body took too long")),
    }
}

fn too_large() -> Response<Bytes> {
    plain(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 4 MiB")
}

//! The app over HTTP, with kept connections.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response, Uri, uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{Connected, Connection},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tower::Service;

/// How long an idle connection is kept: shorter than the idle time after which common proxies close.
const KEEP_IDLE: Duration = Duration::from_secs(30);

/// Largest response: more than the roster of a very large room.
const MAX_RESPONSE_BYTES: usize = 4 * 1024 * 1024;

/// The app, served at a URL.
pub(super) struct HttpApp {
    client: Client<HttpsConnector<TcpConnector>, Full<Bytes>>,
    base: uri::Parts,
    path: String,
}

impl HttpApp {
    pub(super) fn new(base: Uri) -> anyhow::Result<Self> {
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()?
            .https_or_http()
            .enable_http1()
            .wrap_connector(TcpConnector);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEEP_IDLE)
            .build(connector);
        let path = base.path().trim_end_matches('/').to_owned();
        Ok(Self { client, base: base.into_parts(), path })
    }

    pub(super) async fn send(&self, request: Request<Bytes>) -> anyhow::Result<Response<Bytes>> {
        let (mut parts, body) = request.into_parts();
        parts.uri = self.locate(&parts.uri)?;
        let response = self.client.request(Request::from_parts(parts, Full::new(body))).await?;
        let (parts, body) = response.into_parts();
        let body =
            Limited::new(body, MAX_RESPONSE_BYTES).collect().await.map_err(|error| anyhow::anyhow!(error))?;
        Ok(Response::from_parts(parts, body.to_bytes()))
    }

    fn locate(&self, path: &Uri) -> Result<Uri, http::Error> {
        let mut builder = Uri::builder().path_and_query(format!("{}{}", self.path, path.path()));
        if let Some(scheme) = self.base.scheme.clone() {
            builder = builder.scheme(scheme);
        }
        if let Some(authority) = self.base.authority.clone() {
            builder = builder.authority(authority);
        }
        builder.build()
    }
}

/// Opens connections that send and acknowledge without delay.
#[derive(Clone)]
struct TcpConnector;

impl Service<Uri> for TcpConnector {
    type Response = TokioIo<QuickAckStream>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(async move {
            let host = uri.host().ok_or(io::ErrorKind::InvalidInput)?;
            // A URL has an IPv6 address in brackets; the resolver does not.
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let default_port = if uri.scheme_str() == Some("https") { 443 } else { 80 };
            let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(default_port))).await?;
            stream.set_nodelay(true)?;
            Ok(TokioIo::new(QuickAckStream(stream)))
        })
    }
}

/// A TCP stream that does not delay acknowledgements.
struct QuickAckStream(TcpStream);

impl QuickAckStream {
    // Spin answers in two segments and without TCP_NODELAY: it sends the second segment only after the first has been
    // acknowledged, and Linux would delay the acknowledgement by 40 ms. The kernel forgets the setting, so each read
    // renews it.
    #[cfg(target_os = "linux")]
    fn set_quick_ack(&self) {
        // If the option cannot be set, calls are slower and still right.
        let _ = socket2::SockRef::from(&self.0).set_tcp_quickack(true);
    }

    #[cfg(not(target_os = "linux"))]
    fn set_quick_ack(&self) {}
}

impl Connection for QuickAckStream {
    fn connected(&self) -> Connected {
        self.0.connected()
    }
}

impl AsyncRead for QuickAckStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.set_quick_ack();
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for QuickAckStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(base: &str) -> String {
        let app = HttpApp::new(base.parse().unwrap()).unwrap();
        app.locate(&Uri::from_static("/events/join")).unwrap().to_string()
    }

    #[test]
    fn paths_are_appended_to_the_base() {
        assert_eq!(located("http://127.0.0.1:3000"), "http://127.0.0.1:3000/events/join");
        assert_eq!(located("http://[::1]:3000/"), "http://[::1]:3000/events/join");
        assert_eq!(located("http://app.example/rollcall/"), "http://app.example/rollcall/events/join");
    }
}

//! The upgrade of a request to a WebSocket (RFC 6455, section 4.2).

use http::{HeaderMap, HeaderValue, Request, Response, header};
use hyper::upgrade::{OnUpgrade, on};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::server::create_response_with_body,
        protocol::{Role, WebSocketConfig},
    },
};

use super::{WebSocket, connection::Connection};

/// Size of the read buffer, which each socket holds. Most messages of clients are shorter, and for a longer one the buffer
/// grows. The library's default is 128 KiB.
const READ_BUFFER_BYTES: usize = 1024;

/// How much is gathered before it is written. The buffer grows with what it holds.
const WRITE_BUFFER_BYTES: usize = 4 * 1024;

/// The request is no proper upgrade to a WebSocket; the text says why.
#[derive(Debug, thiserror::Error)]
#[error("no upgrade to a WebSocket: {0}")]
pub struct Refused(String);

/// A connection that becomes a WebSocket once the response has been sent.
pub struct Upgrade {
    connection: OnUpgrade,
    config: WebSocketConfig,
}

/// Whether a request asks for a WebSocket.
#[must_use]
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    headers
        .get(header::UPGRADE)
        .is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

impl Upgrade {
    /// Checks a request and answers it. `max_message_bytes`: largest message that the client may send. `choose` gets the
    /// sub-protocols that the client offers, in order, and chooses one or none.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the request is no proper upgrade.
    pub fn accept<B, R: Default>(
        request: &mut Request<B>,
        max_message_bytes: usize,
        choose: impl FnOnce(&[&str]) -> Option<HeaderValue>,
    ) -> Result<(Response<R>, Self), Refused> {
        let mut response =
            create_response_with_body(request, R::default).map_err(|error| Refused(error.to_string()))?;
        if request.extensions().get::<OnUpgrade>().is_none() {
            return Err(Refused("the connection cannot be upgraded".to_owned()));
        }
        if let Some(protocol) = choose(&protocols(request.headers())) {
            response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(WRITE_BUFFER_BYTES)
            .max_message_size(Some(max_message_bytes))
            .max_frame_size(Some(max_message_bytes));
        Ok((response, Self { connection: on(request), config }))
    }

    /// Waits until the response has been sent.
    ///
    /// # Errors
    ///
    /// The connection broke before.
    pub async fn complete(self) -> hyper::Result<WebSocket> {
        let connection = Connection::new(self.connection.await?);
        Ok(WebSocket::new(
            WebSocketStream::from_raw_socket(connection, Role::Server, Some(self.config)).await,
        ))
    }
}

/// The sub-protocols that a client offers, in order.
fn protocols(headers: &HeaderMap) -> Vec<&str> {
    let lines = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let names = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    names.map(str::trim).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> http::request::Builder {
        Request::get("/")
            .header("connection", "keep-alive, Upgrade")
            .header("upgrade", "WebSocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    }

    #[test]
    fn a_request_without_the_headers_is_refused_and_told_why() {
        let mut plain = Request::get("/").body(()).unwrap();
        assert!(!is_upgrade(plain.headers()));
        let refused = Upgrade::accept::<_, ()>(&mut plain, 1, |_| None).err().unwrap();
        assert!(refused.to_string().contains("Connection"), "{refused}");
        let mut other_version = request().header("sec-websocket-version", "8").body(()).unwrap();
        other_version.headers_mut().insert("sec-websocket-version", HeaderValue::from_static("8"));
        assert!(Upgrade::accept::<_, ()>(&mut other_version, 1, |_| None).is_err());
    }

    #[test]
    fn a_connection_that_cannot_be_upgraded_is_refused() {
        let mut request = request().body(()).unwrap();
        assert!(is_upgrade(request.headers()));
        assert!(Upgrade::accept::<_, ()>(&mut request, 1, |_| None).is_err());
    }

    #[test]
    fn protocols_are_read_in_order_from_all_lines() {
        let mut headers = HeaderMap::new();
        headers.append(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("v2, v1"));
        headers.append(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(",v0"));
        assert_eq!(protocols(&headers), ["v2", "v1", "v0"]);
    }
}

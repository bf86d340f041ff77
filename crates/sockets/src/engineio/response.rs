//! Responses to requests.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;

pub(super) type HttpResponse = Response<Full<Bytes>>;

/// What is wrong with a request. Codes and texts are those of the official server, which clients know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WrongRequest {
    UnknownTransport,
    UnknownSession,
    Method,
    Bad,
    Version,
}

impl WrongRequest {
    fn code_and_message(self) -> (u8, &'static str) {
        match self {
            Self::UnknownTransport => (0, "Transport unknown"),
            Self::UnknownSession => (1, "Session ID unknown"),
            Self::Method => (2, "Bad handshake method"),
            Self::Bad => (3, "Bad request"),
            Self::Version => (5, "Unsupported protocol version"),
        }
    }
}

impl From<WrongRequest> for HttpResponse {
    fn from(wrong: WrongRequest) -> Self {
        #[derive(Serialize)]
        struct Body {
            code: u8,
            message: &'static str,
        }
        let (code, message) = wrong.code_and_message();
        let body = serde_json::to_string(&Body { code, message }).unwrap_or_default();
        text(StatusCode::BAD_REQUEST, "application/json", body)
    }
}

/// Packets in the response to a poll, or the open packet.
pub(super) fn packets(payload: String) -> HttpResponse {
    text(StatusCode::OK, "text/plain; charset=UTF-8", payload)
}

/// The response to a post whose packets have been read. Some browsers offer plain text as a download.
pub(super) fn posted() -> HttpResponse {
    text(StatusCode::OK, "text/html", "ok".to_owned())
}

/// A response without a body.
pub(super) fn empty(status: StatusCode) -> HttpResponse {
    let mut response = HttpResponse::default();
    *response.status_mut() = status;
    response
}

fn text(status: StatusCode, content_type: &'static str, body: String) -> HttpResponse {
    let mut response = HttpResponse::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

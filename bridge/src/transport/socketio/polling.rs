//! Enforces the limits of long-polling.
//!
//! The library has one limit for requests and for responses. It keeps packets that do not fit into a response for the
//! next poll, and loses them if an upgrade to a WebSocket comes first. So the library gets a limit that nothing reaches,
//! and this module enforces the limit of requests.

use std::error::Error as _;

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Method, StatusCode, Uri, header};
use http_body_util::LengthLimitError;
use rollcall_protocol::{ErrorCode, Refusal};
use tokio::time::timeout;

use super::PATH;
use crate::transport::SocketLimits;

/// The library's limit. The library announces it to clients on a WebSocket, which ignore it, but some of them read it as
/// a 32-bit integer.
pub(super) const NO_LIMIT: u64 = i32::MAX as u64;

/// Longest handshake response, in bytes: longer than any real one.
const MAX_HANDSHAKE_BYTES: usize = 4096;

/// Refuses bodies that are too large or take too long, and announces the size limit in the handshake.
pub(super) async fn enforce_limits(
    State(limits): State<SocketLimits>,
    request: Request,
    next: Next,
) -> Response {
    let limit = limits.max_payload_bytes;
    let is_post = request.method() == Method::POST;
    let is_handshake = !names_session(request.uri());
    if is_post {
        let (parts, body) = request.into_parts();
        return match timeout(limits.handshake_timeout, to_bytes(body, limit)).await {
            Ok(Ok(body)) => next.run(Request::from_parts(parts, body.into())).await,
            Ok(Err(error)) if is_too_large(&error) => too_large(),
            // The body broke off.
            Ok(Err(_)) => StatusCode::BAD_REQUEST.into_response(),
            Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
        };
    }
    let response = next.run(request).await;
    if is_handshake && response.status() == StatusCode::OK {
        announce_limit(limit, response).await
    } else {
        response
    }
}

/// Whether a request names a session of Engine.IO. The library refuses requests that name an unknown session.
pub(crate) fn names_session(uri: &Uri) -> bool {
    let has_session_id =
        |query: &str| query.split('&').any(|pair| pair.strip_prefix("sid=").is_some_and(|id| !id.is_empty()));
    uri.path().trim_end_matches('/') == PATH && uri.query().is_some_and(has_session_id)
}

async fn announce_limit(limit: usize, response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(handshake) = to_bytes(body, MAX_HANDSHAKE_BYTES).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let handshake = with_limit(limit, &String::from_utf8_lossy(&handshake));
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(handshake.len()));
    Response::from_parts(parts, Body::from(handshake))
}

fn with_limit(limit: usize, handshake: &str) -> String {
    let field = |limit: &dyn std::fmt::Display| format!(r#""maxPayload":{limit}"#);
    handshake.replace(&field(&NO_LIMIT), &field(&limit))
}

fn is_too_large(error: &axum::Error) -> bool {
    error.source().is_some_and(|source| source.is::<LengthLimitError>())
}

fn too_large() -> Response {
    let refusal = Refusal::from(ErrorCode::PayloadTooLarge);
    let body = serde_json::to_string(&refusal).unwrap_or_default();
    (refusal.code.status(), [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_a_session_are_told_from_new_connections() {
        let names_session = |uri: &'static str| names_session(&Uri::from_static(uri));
        assert!(names_session("/socket.io/?EIO=4&transport=polling&sid=x"));
        assert!(names_session("/socket.io?sid=x"));
        for uri in ["/socket.io/?EIO=4&transport=polling", "/socket.io/", "/socket.io/?sid=", "/ws?sid=x"] {
            assert!(!names_session(uri), "{uri}");
        }
    }

    #[test]
    fn the_handshake_announces_the_limit() {
        let handshake = r#"0{"sid":"x","pingTimeout":20000,"maxPayload":2147483647}"#;
        assert_eq!(with_limit(16_384, handshake), r#"0{"sid":"x","pingTimeout":20000,"maxPayload":16384}"#);
    }
}

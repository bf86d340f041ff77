//! What long-polling needs beside the library.
//!
//! The library has one limit for what clients send and for what it answers. What does not fit into an answer it
//! keeps for the next poll, and loses it if a switch to a WebSocket comes first. So it is given no limit that could
//! be reached, and clients are held to theirs here.

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
use crate::config::Limits;

/// What the library goes by. Clients on a WebSocket are shown it and make nothing of it, but some read it as an
/// integer of 32 bits.
pub(super) const NO_LIMIT: u64 = i32::MAX as u64;

/// More than any handshake is long.
const HANDSHAKE_LIMIT: usize = 4096;

/// Refuses bodies above the limit or that take too long, and tells clients of the former in their handshake.
pub(super) async fn hold_to_limits(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let limit = limits.max_payload_bytes;
    let is_post = request.method() == Method::POST;
    let is_handshake = !is_of_session(request.uri());
    if is_post {
        let (parts, body) = request.into_parts();
        return match timeout(limits.handshake, to_bytes(body, limit)).await {
            Ok(Ok(body)) => next.run(Request::from_parts(parts, body.into())).await,
            Ok(Err(error)) if is_too_large(&error) => too_large(),
            // It broke off.
            Ok(Err(_)) => StatusCode::BAD_REQUEST.into_response(),
            Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
        };
    }
    let response = next.run(request).await;
    if is_handshake && response.status() == StatusCode::OK { tell(limit, response).await } else { response }
}

/// Whether a request belongs to a session of Engine.IO that is there already, or says so: the library refuses those
/// that name none.
pub(crate) fn is_of_session(uri: &Uri) -> bool {
    let names_session =
        |query: &str| query.split('&').any(|pair| pair.strip_prefix("sid=").is_some_and(|id| !id.is_empty()));
    uri.path().trim_end_matches('/') == PATH && uri.query().is_some_and(names_session)
}

async fn tell(limit: usize, response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(handshake) = to_bytes(body, HANDSHAKE_LIMIT).await else {
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
    fn who_is_connected_by_polling_is_told_from_who_is_not() {
        let is_of_session = |uri: &'static str| is_of_session(&Uri::from_static(uri));
        assert!(is_of_session("/socket.io/?EIO=4&transport=polling&sid=x"));
        assert!(is_of_session("/socket.io?sid=x"));
        for newcomer in
            ["/socket.io/?EIO=4&transport=polling", "/socket.io/", "/socket.io/?sid=", "/ws?sid=x"]
        {
            assert!(!is_of_session(newcomer), "{newcomer}");
        }
    }

    #[test]
    fn the_handshake_tells_the_limit() {
        let handshake = r#"0{"sid":"x","pingTimeout":20000,"maxPayload":2147483647}"#;
        assert_eq!(with_limit(16_384, handshake), r#"0{"sid":"x","pingTimeout":20000,"maxPayload":16384}"#);
    }
}

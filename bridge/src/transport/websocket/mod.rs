//! Plain WebSockets: translates between their frames and sessions.

mod close;
mod connection;
pub(crate) mod message;
mod outbound;

use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use rollcall_protocol::version::SUB_PROTOCOL;
use rollcall_sockets::websocket::Upgrade;

use super::Sockets;
use crate::{limits::SocketPermit, session::auth, telemetry::trace::ClientTrace};

/// Prefix of the sub-protocol that carries the token: browsers cannot set headers, and a token in a URL would end up in
/// logs.
const TOKEN_PREFIX: &str = "bearer.";

/// Upgrades a request. A refused token closes the WebSocket after the upgrade, because browsers do not show why an
/// upgrade was refused.
pub(crate) async fn upgrade(State(sockets): State<Sockets>, mut request: Request) -> Response {
    let token = auth::bearer_token(request.headers()).or_else(|| token_from_protocols(request.headers()));
    let trace = ClientTrace::from_headers(request.headers());
    let permit = request.extensions().get::<SocketPermit>().cloned();
    let choose =
        |offered: &[&str]| offered.contains(&SUB_PROTOCOL).then(|| HeaderValue::from_static(SUB_PROTOCOL));
    match Upgrade::accept(&mut request, sockets.limits.max_payload_bytes, choose) {
        Ok((response, upgrade)) => {
            tokio::spawn(async move {
                if let Ok(socket) = upgrade.complete().await {
                    connection::run(sockets, socket, permit, token, trace).await;
                }
            });
            response.map(|()| Body::empty())
        }
        Err(refused) => (StatusCode::BAD_REQUEST, refused.to_string()).into_response(),
    }
}

fn token_from_protocols(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .find_map(|protocol| protocol.trim().strip_prefix(TOKEN_PREFIX))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_among_the_protocols() {
        let mut headers = HeaderMap::new();
        assert_eq!(token_from_protocols(&headers), None);
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, "rollcall.v1, bearer.a.b.c".parse().unwrap());
        assert_eq!(token_from_protocols(&headers).as_deref(), Some("a.b.c"));
    }
}

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
use rollcall_protocol::{client::Handshake, version};
use rollcall_sockets::websocket::Upgrade;

use super::Sockets;
use crate::{limits::SocketPermit, session::auth, telemetry::trace::ClientTrace};

/// Prefix of the sub-protocol that carries the token: browsers cannot set headers, and a token in a URL would end up in
/// logs.
const TOKEN_PREFIX: &str = "bearer.";

/// Upgrades a request. A refused token or version closes the WebSocket after the upgrade, because browsers do not show why
/// an upgrade was refused.
pub(crate) async fn upgrade(State(sockets): State<Sockets>, mut request: Request) -> Response {
    let token = auth::bearer_token(request.headers()).or_else(|| token_from_protocols(request.headers()));
    let trace = ClientTrace::from_headers(request.headers());
    let permit = request.extensions().get::<SocketPermit>().cloned();
    let mut asked_version = None;
    let choose = |offered: &[&str]| {
        let chosen = version::choose_sub_protocol(offered)?;
        asked_version = Some(version::of_sub_protocol(chosen));
        HeaderValue::from_str(chosen).ok()
    };
    match Upgrade::accept(&mut request, sockets.limits.max_payload_bytes, choose) {
        Ok((response, upgrade)) => {
            let handshake = Handshake { token, version: asked_version };
            tokio::spawn(async move {
                if let Ok(socket) = upgrade.complete().await {
                    connection::run(sockets, socket, permit, handshake, trace).await;
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

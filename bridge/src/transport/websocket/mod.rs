//! Plain WebSockets: translates between their frames and sessions.

mod close;
mod connection;
pub(crate) mod message;

use axum::{
    Extension,
    extract::{State, WebSocketUpgrade},
    response::Response,
};
use http::{HeaderMap, header};

use super::Sockets;
use crate::{limits::SocketPermit, session::auth, telemetry::trace::ClientTrace};

/// The sub-protocol that the bridge chooses.
const PROTOCOL: &str = "rollcall.v1";

/// Size of the read and the write buffer. The library's default is thirty times as much, for each socket.
const BUFFER_BYTES: usize = 4 * 1024;

/// Prefix of the sub-protocol that carries the token: browsers cannot set headers, and a token in a URL would end up in
/// logs.
const TOKEN_PREFIX: &str = "bearer.";

/// Upgrades a request. A refused token closes the WebSocket after the upgrade, because browsers do not show why an
/// upgrade was refused.
pub(crate) async fn upgrade(
    State(sockets): State<Sockets>,
    Extension(permit): Extension<SocketPermit>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let token = auth::bearer_token(&headers).or_else(|| token_from_protocols(&headers));
    let trace = ClientTrace::from_headers(&headers);
    upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(sockets.limits.max_payload_bytes)
        .max_frame_size(sockets.limits.max_payload_bytes)
        .on_upgrade(async move |socket| {
            let _permit = permit;
            connection::run(sockets, socket, token, trace).await;
        })
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

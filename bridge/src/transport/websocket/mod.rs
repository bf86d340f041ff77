//! Plain WebSockets: translates between their frames and sessions.

mod close;
mod connection;
pub(crate) mod message;

use std::sync::Arc;

use axum::{
    Extension,
    extract::{State, WebSocketUpgrade},
    response::Response,
};
use http::{HeaderMap, header};

use crate::{auth, door::Ticket, gateway::Gateway, telemetry::trace::ClientTrace};

/// The sub-protocol that a server chooses.
const PROTOCOL: &str = "rollcall.v1";

/// How much is read and written at a time. The library's own measure is thirty times as much, for each socket.
const BUFFER_BYTES: usize = 4 * 1024;

/// What the sub-protocol that carries the token begins with: browsers can set no header, and a token in a URL
/// would end up in logs.
const TOKEN_PREFIX: &str = "bearer.";

/// Upgrades a request. A refused token closes the connection only then, as browsers do not show why an upgrade
/// was refused.
pub(crate) async fn upgrade(
    State(gateway): State<Arc<Gateway>>,
    Extension(ticket): Extension<Ticket>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let token = auth::bearer(&headers).or_else(|| token_in_protocols(&headers));
    let trace = ClientTrace::of(&headers);
    upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(gateway.limits.max_payload_bytes)
        .max_frame_size(gateway.limits.max_payload_bytes)
        .on_upgrade(async move |socket| {
            let _ticket = ticket;
            connection::run(gateway, socket, token, trace).await;
        })
}

fn token_in_protocols(headers: &HeaderMap) -> Option<String> {
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
        assert_eq!(token_in_protocols(&headers), None);
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, "rollcall.v1, bearer.a.b.c".parse().unwrap());
        assert_eq!(token_in_protocols(&headers).as_deref(), Some("a.b.c"));
    }
}

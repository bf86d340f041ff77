//! How the bridge stops: it lets nobody in any more, sends its clients away one by one, and then waits for what is
//! under way.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::header;
use rollcall_protocol::{ErrorCode, Refusal};
use tokio::time::timeout;

use crate::{gateway::Gateway, lease, telemetry::metrics};

/// How long what is under way may take when all clients are gone.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// After how many seconds a client that comes to a bridge that stops may try again. Another bridge is there at once.
const RETRY_AFTER_S: &str = "1";

/// Sends all clients away, each at a time of its own. Returns when all are gone, or should be.
pub(crate) async fn send_away(gateway: &Gateway) {
    gateway.health.drain();
    gateway.tasks.close();
    gateway.draining.cancel();
    let _ = timeout(gateway.drain_spread, gateway.tasks.wait()).await;
}

/// Closes what is still open, and waits until all sessions are through and have told the app.
pub(crate) async fn stop(gateway: &Gateway) {
    gateway.stopping.cancel();
    if timeout(STOP_LIMIT, gateway.tasks.wait()).await.is_err() {
        tracing::warn!(unfinished = gateway.tasks.len(), "bridge.unfinished");
    }
    lease::give_up(gateway).await;
    gateway.app.close().await;
}

/// Answers whoever wants to connect while the bridge stops. Those who are connected by polling go on until they are
/// sent away.
pub(crate) async fn refuse_newcomers(
    State(gateway): State<Arc<Gateway>>,
    request: Request,
    next: Next,
) -> Response {
    if !gateway.draining.is_cancelled() || has_session(request.uri().query()) {
        return next.run(request).await;
    }
    metrics::connection_refused(ErrorCode::Unavailable);
    let refusal = Refusal::because(ErrorCode::Unavailable, "This bridge stops; another one is there.");
    let body = serde_json::to_string(&refusal).unwrap_or_default();
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::RETRY_AFTER, RETRY_AFTER_S)];
    (refusal.code.status(), headers, body).into_response()
}

/// Whether a query names a session of Engine.IO.
fn has_session(query: Option<&str>) -> bool {
    query.is_some_and(|query| query.split('&').any(|pair| pair.starts_with("sid=")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_connected_by_polling_is_told_from_who_is_not() {
        assert!(has_session(Some("EIO=4&transport=polling&sid=x")));
        assert!(!has_session(Some("EIO=4&transport=polling")));
        assert!(!has_session(None));
    }
}

//! How the bridge stops: it lets nobody in any more, sends its clients away one by one, and then waits for what is
//! under way.

use std::time::Duration;

use tokio::time::timeout;

use crate::{gateway::Gateway, lease};

/// How long what is under way may take when all clients are gone.
const STOP_LIMIT: Duration = Duration::from_secs(10);

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
    let all = async {
        gateway.tasks.wait().await;
        gateway.losses.all_told().await;
    };
    if timeout(STOP_LIMIT, all).await.is_err() {
        let (unfinished, untold) = (gateway.tasks.len(), gateway.losses.untold());
        tracing::warn!(unfinished, untold, "bridge.unfinished");
    }
    lease::give_up(gateway).await;
    gateway.app.close().await;
}

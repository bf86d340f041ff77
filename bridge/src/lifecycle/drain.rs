//! Shuts a bridge down in order: it admits no new clients, closes its sockets one by one, and waits for what is under
//! way.

use std::time::Duration;

use tokio::time::timeout;

use crate::{disconnects::Disconnects, health::Health, session::Shutdown};

/// How long the bridge waits for what is under way after all sockets are closed.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Shuts sessions down.
pub(super) struct Drain<'a> {
    pub(super) health: &'a Health,
    pub(super) shutdown: &'a Shutdown,
    pub(super) disconnects: &'a Disconnects,
}

impl Drain<'_> {
    /// Asks all clients to go, each at a random time. Returns when all are gone, or when the time is over.
    pub(super) async fn close_gradually(&self) {
        self.health.start_draining();
        self.shutdown.sessions.close();
        self.shutdown.draining.cancel();
        let _ = timeout(self.shutdown.drain_time, self.shutdown.sessions.wait()).await;
    }

    /// Closes the sockets that are still open, and waits until the app knows of all disconnects.
    pub(super) async fn close_now(&self) {
        self.shutdown.stopping.cancel();
        let all = async {
            self.shutdown.sessions.wait().await;
            self.disconnects.wait_until_sent().await;
        };
        if timeout(STOP_LIMIT, all).await.is_err() {
            let (sessions, disconnects) = (self.shutdown.sessions.len(), self.disconnects.pending_count());
            tracing::warn!(sessions, disconnects, "bridge.unfinished");
        }
    }
}

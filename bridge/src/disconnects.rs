//! Reports lost connections to the app, however long that takes: as long as this bridge lives, its lease keeps their
//! members present.

use std::sync::Arc;

use rollcall_protocol::event::{Disconnect, Membership};
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;

use crate::{
    app::{self, App, AppError},
    telemetry::{metrics, trace::TraceParent},
};

/// While this many disconnects are pending, the bridge admits no joins, because it would have to report their
/// disconnects as well. Sockets that are in a room already may still add theirs.
const MAX_PENDING: usize = 10_000;

/// The disconnects that the app does not know of yet.
pub(crate) struct Disconnects {
    app: Arc<App>,
    /// One task for each of them.
    pending: TaskTracker,
}

/// Cancels a pending disconnect. Dropping the handle cancels nothing.
pub(crate) struct CancelHandle(AbortHandle);

impl CancelHandle {
    /// Cancels the disconnect: the app learned of it in another way.
    pub(crate) fn cancel(self) {
        self.0.abort();
    }
}

impl Disconnects {
    /// Nothing is pending.
    pub(crate) fn new(app: Arc<App>) -> Self {
        Self { app, pending: TaskTracker::new() }
    }

    /// Reports in the background that the connection behind a membership is lost.
    pub(crate) fn send(&self, membership: Membership) -> CancelHandle {
        let (app, trace) = (Arc::clone(&self.app), TraceParent::current());
        let metric = metrics::track_pending_disconnect();
        let report = async move {
            let event_id = app::new_event_id();
            let outcome = trace.enter(app.report(&Disconnect(membership), &event_id)).await;
            let code = match outcome {
                Err(AppError::Refused { refusal, .. }) => Some(refusal.code.as_str()),
                _ => None,
            };
            tracing::debug!(request_id = event_id, code, "disconnect.delivered");
            drop(metric);
        };
        CancelHandle(self.pending.spawn(report).abort_handle())
    }

    /// Whether so many disconnects are pending that the bridge should admit no joins.
    pub(crate) fn is_full(&self) -> bool {
        self.pending_count() >= MAX_PENDING
    }

    /// Number of pending disconnects.
    pub(crate) fn pending_count(&self) -> usize {
        self.pending.len()
    }

    /// Waits until no disconnect is pending.
    pub(crate) async fn wait_until_sent(&self) {
        self.pending.close();
        self.pending.wait().await;
    }
}

//! The state that all components share: the engine, the limits and the shutdown.

use std::time::Duration;

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wasmtime::Engine;

/// As on Akamai Functions.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Shared by all components of an application.
#[derive(Clone)]
pub(crate) struct Runtime {
    pub(crate) engine: Engine,
    /// How long a call may take.
    pub(crate) time_limit: Duration,
    /// The shutdown cancels this token to end idle instances.
    pub(crate) closing: CancellationToken,
    /// Holds a token for each instance.
    pub(crate) running: TaskTracker,
}

impl Runtime {
    /// A runtime for components that `engine` has compiled.
    pub(crate) fn new(engine: Engine) -> Self {
        Self {
            engine,
            time_limit: TIME_LIMIT,
            closing: CancellationToken::new(),
            running: TaskTracker::new(),
        }
    }

    /// Ends idle instances and waits for the busy ones.
    ///
    /// An instance that is still alive when the async runtime shuts down reports that it panicked.
    pub(crate) async fn close(&self) {
        self.closing.cancel();
        self.running.close();
        let limit = 2 * self.time_limit;
        if tokio::time::timeout(limit, self.running.wait()).await.is_err() {
            tracing::warn!(instances = self.running.len(), "instances still run after {} s", limit.as_secs());
        }
    }
}

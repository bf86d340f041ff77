//! What all sessions of this bridge share.

use std::{sync::Arc, time::Duration};

use rollcall_protocol::{NodeId, UserId};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::rate_limit::RateLimits;
use crate::{
    app::App,
    disconnects::Disconnects,
    fanout::{Hub, resync::ResyncQueue},
    limits::permits::Permits,
    lobby::Lobby,
};

/// What all sessions of this bridge share.
pub(crate) struct Context {
    pub(crate) node: NodeId,
    pub(crate) app: Arc<App>,
    pub(crate) disconnects: Disconnects,
    pub(crate) hub: Arc<Hub>,
    pub(crate) resync: Arc<ResyncQueue>,
    pub(crate) lobby: Arc<Lobby>,
    /// How long a join waits until its room is subscribed.
    pub(crate) subscribe_timeout: Duration,
    /// Rises when the app has taken all connections of this bridge for lost.
    pub(crate) lease_losses: watch::Sender<u64>,
    pub(crate) rate_limits: Arc<RateLimits>,
    pub(crate) sockets_per_user: Permits<UserId>,
    pub(crate) shutdown: Shutdown,
}

/// Ends sessions when the bridge stops.
pub(crate) struct Shutdown {
    /// Asks every session to end within `drain_time`.
    pub(crate) draining: CancellationToken,
    pub(crate) drain_time: Duration,
    /// Asks every session to end at once.
    pub(crate) stopping: CancellationToken,
    /// The tasks of all sessions.
    pub(crate) sessions: TaskTracker,
}

impl Shutdown {
    /// Nothing stops yet; sessions will have `drain_time` to end.
    pub(crate) fn new(drain_time: Duration) -> Self {
        let (draining, stopping) = (CancellationToken::new(), CancellationToken::new());
        Self { draining, drain_time, stopping, sessions: TaskTracker::new() }
    }
}

//! What all sockets of this bridge share.

use std::{sync::Arc, time::Duration};

use rollcall_protocol::{NodeId, UserId};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    app::App, config::Limits, health::Health, hub::Hub, losses::Losses, reread::Rereads, session::Paces,
    tally::Tally,
};

/// What all sockets of this bridge share.
pub(crate) struct Gateway {
    pub(crate) app: Arc<App>,
    /// Lost connections that the app is to be told of.
    pub(crate) losses: Arc<Losses>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) node: NodeId,
    pub(crate) limits: Limits,
    /// Whether this bridge can serve.
    pub(crate) health: Arc<Health>,
    /// How long a join waits until its room is subscribed.
    pub(crate) subscribe_limit: Duration,
    /// Rooms to read once more.
    pub(crate) rereads: Rereads,
    /// Rises when the app has taken all connections of this bridge for lost.
    pub(crate) lease_losses: watch::Sender<u64>,
    /// Everything that must come to its end before the process does.
    pub(crate) tasks: TaskTracker,
    /// How fast clients may send.
    pub(crate) paces: Arc<Paces>,
    /// How many sockets each user holds.
    pub(crate) sockets_per_user: Tally<UserId>,
    /// Asks every session to end within [`Gateway::drain_spread`].
    pub(crate) draining: CancellationToken,
    /// Over how long clients are sent away.
    pub(crate) drain_spread: Duration,
    /// Asks every session to end at once.
    pub(crate) stopping: CancellationToken,
}

//! What all sockets of this bridge share.

use std::{sync::Arc, time::Duration};

use rollcall_protocol::{
    NodeId, UserId,
    client::Done,
    event::{BridgeEvent, Membership},
};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::{
    app::App,
    config::Limits,
    health::Health,
    hub::Hub,
    reread::Rereads,
    session::Paces,
    tally::Tally,
    telemetry::{metrics, trace},
};

/// What all sockets of this bridge share.
pub(crate) struct Gateway {
    pub(crate) app: App,
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

impl Gateway {
    /// Tells the app, in the background, that the connection behind a membership is lost.
    pub(crate) fn report_lost(self: &Arc<Self>, membership: Membership) -> JoinHandle<()> {
        let gateway = Arc::clone(self);
        let waiting = metrics::disconnect_waiting();
        self.tasks.spawn(trace::carried(async move {
            let _waiting = waiting;
            let Membership { room_id, entry_id, .. } = membership.clone();
            let event = BridgeEvent::Disconnect(membership);
            let request_id = Uuid::now_v7().to_string();
            // However long it takes: as long as this bridge lives, its lease keeps the member present.
            while !gateway.stopping.is_cancelled() {
                match gateway.app.deliver::<Done>(&event, &request_id).await {
                    Ok(ack) => {
                        let code = ack.0.err().map(|refusal| refusal.code.as_str());
                        return tracing::debug!(%room_id, %entry_id, request_id, code, "disconnect.delivered");
                    }
                    Err(error) => {
                        tracing::error!(%room_id, %entry_id, request_id, %error, "disconnect.delayed")
                    }
                }
            }
        }))
    }
}

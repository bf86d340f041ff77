//! This bridge's lease on the connections that it holds: if it is killed, nobody else can tell that they are lost.

use std::{sync::Arc, time::Duration};

use rollcall_protocol::{
    client::Ack,
    event::{BridgeEvent, Heartbeat, Lease},
};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use uuid::Uuid;

use crate::{gateway::Gateway, telemetry::metrics};

/// How long a goodbye may take. Without it the lease runs out.
const GOODBYE_LIMIT: Duration = Duration::from_secs(2);

/// After how many beats without an answer the lease may have run out: it is at least three of them long.
pub(crate) const SILENT_BEATS: u32 = 3;

/// Tells the app at intervals that this bridge is there. Where the lease has run out all the same, every session
/// enters its room again.
pub(crate) async fn keep(gateway: Arc<Gateway>, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let started = Instant::now();
    let mut leased = None;
    loop {
        ticks.tick().await;
        let Some(lease) = beat(&gateway, false).await else { continue };
        // Before the first answer, nobody knows of the lease but those who came in through this bridge.
        let is_lost = leased.map_or(started.elapsed() > every * SILENT_BEATS, |since| since != lease.since);
        if is_lost {
            tracing::warn!("lease.lost");
            metrics::lease_lost();
            gateway.lease_losses.send_modify(|losses| *losses += 1);
        }
        leased = Some(lease.since);
    }
}

/// Tells the app that this bridge stops.
pub(crate) async fn give_up(gateway: &Gateway) {
    if timeout(GOODBYE_LIMIT, beat(gateway, true)).await.is_err() {
        tracing::warn!("lease.not_given_up");
    }
}

async fn beat(gateway: &Gateway, is_leaving: bool) -> Option<Lease> {
    let event = BridgeEvent::Heartbeat(Heartbeat { node_id: gateway.node.clone(), is_leaving });
    match gateway.app.call::<Lease>(&event, &Uuid::now_v7().to_string()).await {
        Ok(Ack(Ok(lease))) => {
            gateway.health.app_answered(Instant::now());
            Some(lease)
        }
        Ok(Ack(Err(refusal))) => {
            tracing::error!(code = %refusal.code, "lease.refused");
            None
        }
        // Logged where it happened.
        Err(_) => None,
    }
}

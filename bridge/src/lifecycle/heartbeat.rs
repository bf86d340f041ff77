//! Keeps this bridge's lease alive. If the bridge is killed, nobody else can tell that its connections are lost.

use std::{sync::Arc, time::Duration};

use rollcall_protocol::{
    Keyspace, NodeId,
    event::{Heartbeat as HeartbeatEvent, Lease},
};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use crate::{
    app::{self, App, AppError, sweep_timer::SweepTimer},
    fanout::Hub,
    health::Health,
    telemetry::metrics,
};

/// How long the last heartbeat may take. Without it, the lease runs out.
const GOODBYE_LIMIT: Duration = Duration::from_secs(2);

/// After this many heartbeats without an answer the lease may have run out: a lease lasts for at least three of them.
const MISSED_HEARTBEATS: u32 = 3;

/// A heartbeat that failed is repeated after this part of the interval. When Redis comes back after an outage, the lease
/// may end before the next heartbeat would come.
const RETRIES_PER_INTERVAL: u32 = 5;

const LOST_SIGNAL: &str = "the app answers heartbeats, but what it publishes does not arrive: redis_address of the app \
                           and --redis of the bridge name different servers";

/// Sends the heartbeats of this bridge.
pub(super) struct Heartbeat {
    pub(super) app: Arc<App>,
    pub(super) node: NodeId,
    pub(super) health: Arc<Health>,
    /// Learns from the answers over which channels events go.
    pub(super) hub: Arc<Hub>,
    /// Where this bridge hears of events.
    pub(super) keyspace: Keyspace,
    pub(super) interval: Duration,
    /// Learns from the answers when something is due.
    pub(super) sweep_timer: Arc<SweepTimer>,
    /// Rises when the app has taken all connections of this bridge for lost.
    pub(super) lease_losses: watch::Sender<u64>,
}

/// How long the app may be silent until the lease may have run out.
pub(super) fn silence_limit(interval: Duration) -> Duration {
    interval * MISSED_HEARTBEATS
}

impl Heartbeat {
    /// Sends heartbeats until the future is dropped. When the lease has run out all the same, every session rejoins its
    /// room.
    pub(super) async fn run(&self) {
        let mut ticks = interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let started = Instant::now();
        let mut leased_since = None;
        let mut last_answered = None;
        let mut is_signal_lost = false;
        let mut mismatch = None;
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    let was_lost = is_signal_lost;
                    is_signal_lost = last_answered.is_some_and(|at| self.health.lacks_signal_since(at));
                    if is_signal_lost && !was_lost && mismatch.is_none() {
                        tracing::error!(reason = LOST_SIGNAL, "redis.no_signal");
                    }
                }
                // The signal of this heartbeat shows that the app publishes to the Redis that was subscribed to.
                () = self.health.wait_until_subscribed() => {}
            }
            let sent_at = Instant::now();
            let Some(lease) = self.send(false).await else {
                ticks.reset_after(self.interval / RETRIES_PER_INTERVAL);
                continue;
            };
            // Before the first answer, the app knows of the lease only through joins over this bridge.
            let is_lost = leased_since
                .map_or(started.elapsed() > silence_limit(self.interval), |since| since != lease.since);
            if is_lost {
                tracing::warn!("lease.lost");
                metrics::record_lease_lost();
                self.lease_losses.send_modify(|losses| *losses += 1);
            }
            leased_since = Some(lease.since);
            self.hub.learn_layouts(&lease.layouts);
            self.sweep_timer.learn_rank(lease.rank);
            if let Some(next_due) = lease.next_due {
                self.sweep_timer.learn(next_due);
            }
            last_answered = Some(sent_at);
            let found = lease.keyspace.and_then(|app| find_mismatch(&app, &self.keyspace));
            if found != mismatch
                && let Some(reason) = &found
            {
                tracing::error!(reason, "redis.mismatch");
            }
            mismatch = found;
        }
    }

    /// Gives the lease up, because the bridge stops.
    pub(super) async fn give_up(&self) {
        if timeout(GOODBYE_LIMIT, self.send(true)).await.is_err() {
            tracing::warn!("lease.not_given_up");
        }
    }

    async fn send(&self, is_leaving: bool) -> Option<Lease> {
        let event = HeartbeatEvent { node_id: self.node.clone(), is_leaving };
        match self.app.call(&event, &app::new_event_id()).await {
            Ok(lease) => {
                self.health.record_app_answer(Instant::now());
                Some(lease)
            }
            Err(AppError::Refused { refusal, .. }) => {
                tracing::error!(code = %refusal.code, "lease.refused");
                None
            }
            // The app module logs these errors.
            Err(AppError::Overloaded | AppError::CircuitOpen | AppError::NoResponse) => None,
        }
    }
}

/// Why this bridge hears nothing of what the app publishes, if the two are configured differently.
fn find_mismatch(app: &Keyspace, bridge: &Keyspace) -> Option<String> {
    let mut differences = Vec::new();
    if app.prefix != bridge.prefix {
        differences.push(format!(
            "redis_prefix of the app (SPIN_VARIABLE_REDIS_PREFIX) is {}, and --redis-prefix of the bridge \
             (ROLLCALL_REDIS_PREFIX) is {}",
            app.prefix, bridge.prefix
        ));
    }
    if app.database != bridge.database {
        differences.push(format!(
            "redis_database of the app (SPIN_VARIABLE_REDIS_DATABASE) is {}, and the database in --redis of the bridge \
             (ROLLCALL_REDIS_URL) is {}",
            app.database, bridge.database
        ));
    }
    (!differences.is_empty()).then(|| differences.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyspace(prefix: &str, database: u16) -> Keyspace {
        Keyspace { prefix: prefix.parse().unwrap(), database }
    }

    #[test]
    fn a_mismatch_names_both_values_and_both_settings() {
        let bridge = Keyspace::default();
        assert_eq!(find_mismatch(&bridge, &bridge), None);
        let prefix = find_mismatch(&keyspace("staging", 0), &bridge).unwrap();
        assert_eq!(
            prefix,
            "redis_prefix of the app (SPIN_VARIABLE_REDIS_PREFIX) is staging, and --redis-prefix of the bridge \
             (ROLLCALL_REDIS_PREFIX) is rollcall"
        );
        let both = find_mismatch(&keyspace("staging", 3), &bridge).unwrap();
        assert_eq!(
            both.strip_prefix(&prefix).unwrap(),
            "; redis_database of the app (SPIN_VARIABLE_REDIS_DATABASE) is 3, and the database in --redis of the bridge \
             (ROLLCALL_REDIS_URL) is 0"
        );
    }
}

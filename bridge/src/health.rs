//! Whether this bridge can serve clients: `/healthz` and `/readyz`, for load balancers and orchestrators.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::State, response::IntoResponse, routing::get};
use http::{StatusCode, header};
use serde::Serialize;
use tokio::{sync::Notify, time::Instant};

/// State of the parts that the bridge needs to serve. Each part is updated by the service that watches it.
#[derive(Debug)]
pub(crate) struct Health {
    is_draining: AtomicBool,
    app: Mutex<AppState>,
    subscription: Mutex<Subscription>,
    /// In a cluster, the number of shards with rooms, and how many of them can be subscribed to.
    shards: AtomicU64,
    reached_shards: AtomicU64,
    app_silence_limit: Duration,
    app_returned: Notify,
    subscribed: Notify,
}

#[derive(Debug, Default)]
struct AppState {
    answered_at: Option<Instant>,
    /// How often the app has returned after a silence that was too long.
    returns: u64,
    /// Whether all components passed their checks since the app was last silent for too long.
    is_usable: bool,
}

#[derive(Debug, Default)]
struct Subscription {
    /// When the subscriptions to all rooms were put in place, over the present connection.
    since: Option<Instant>,
    /// When the app's signal last arrived over the present connection.
    signaled_at: Option<Instant>,
}

/// A reason for which the bridge is not ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Subscriptions to rooms are not in place.
    Redis,
    /// The app has not answered a heartbeat for too long, or one of its components could not handle an event.
    App,
    /// What the app publishes does not arrive here.
    Events,
    /// The bridge is stopping and admits no new clients.
    Draining,
}

impl Missing {
    /// The name in `/readyz` and in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::App => "app",
            Self::Events => "events",
            Self::Draining => "draining",
        }
    }
}

/// A shard that can be subscribed to.
pub(crate) struct ReachedShard<'a>(&'a Health);

impl Drop for ReachedShard<'_> {
    fn drop(&mut self) {
        self.0.reached_shards.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    missing: Vec<&'static str>,
}

impl Health {
    /// `app_silence_limit`: the app counts as available for this long after its last answer.
    pub(crate) fn new(app_silence_limit: Duration) -> Self {
        Self {
            is_draining: AtomicBool::new(false),
            app: Mutex::default(),
            subscription: Mutex::default(),
            shards: AtomicU64::default(),
            reached_shards: AtomicU64::default(),
            app_silence_limit,
            app_returned: Notify::new(),
            subscribed: Notify::new(),
        }
    }

    /// Records that the subscriptions to all rooms are in place over a new connection.
    pub(crate) fn record_subscribed(&self, now: Instant) {
        *self.subscription() = Subscription { since: Some(now), signaled_at: None };
        self.subscribed.notify_one();
    }

    /// Records that the connection with the subscriptions has ended.
    pub(crate) fn record_unsubscribed(&self) {
        *self.subscription() = Subscription::default();
    }

    /// Records that rooms lie in so many shards of a cluster.
    pub(crate) fn record_shards(&self, count: u64) {
        self.shards.store(count, Ordering::Relaxed);
    }

    /// Records that a shard can be subscribed to, until the result is dropped.
    pub(crate) fn record_reached_shard(&self) -> ReachedShard<'_> {
        self.reached_shards.fetch_add(1, Ordering::Relaxed);
        ReachedShard(self)
    }

    /// Waits until the subscriptions are put in place again.
    pub(crate) async fn wait_until_subscribed(&self) {
        self.subscribed.notified().await;
    }

    /// Records that the signal arrived which the app publishes with each heartbeat.
    pub(crate) fn record_signal(&self, now: Instant) {
        self.subscription().signaled_at = Some(now);
    }

    /// Whether the signal of a heartbeat at this time should have arrived and has not.
    pub(crate) fn lacks_signal_since(&self, heartbeat: Instant) -> bool {
        let subscription = self.subscription();
        subscription.since.is_some_and(|since| since <= heartbeat)
            && subscription.signaled_at.is_none_or(|at| at < heartbeat)
    }

    /// Records that the app has answered a heartbeat. The app's components count as usable only after a new check if the
    /// app was silent for too long.
    pub(crate) fn record_app_answer(&self, now: Instant) {
        let mut app = self.app();
        if app.answered_at.is_some_and(|at| !self.is_recent(at, now)) {
            app.is_usable = false;
            app.returns += 1;
            self.app_returned.notify_one();
        }
        app.answered_at = Some(now);
    }

    /// Waits until the app answers after a silence that was too long.
    pub(crate) async fn wait_until_app_returns(&self) {
        self.app_returned.notified().await;
    }

    /// How often the app has returned so far.
    pub(crate) fn app_returns(&self) -> u64 {
        self.app().returns
    }

    /// Records that all components passed checks that began after this many returns of the app.
    pub(crate) fn record_app_usable(&self, returns: u64) {
        let mut app = self.app();
        app.is_usable |= app.returns == returns;
    }

    /// Records that the bridge is stopping. It never becomes ready again.
    pub(crate) fn start_draining(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Each part, and whether it is missing.
    pub(crate) fn parts(&self, now: Instant) -> [(Missing, bool); 4] {
        let (app, subscription) = (self.app(), self.subscription());
        let does_app_answer = app.answered_at.is_some_and(|at| self.is_recent(at, now));
        // A bridge that cannot reach some shards still serves the rooms of others.
        let reaches_shards =
            self.shards.load(Ordering::Relaxed) == 0 || self.reached_shards.load(Ordering::Relaxed) > 0;
        let is_subscribed = subscription.since.is_some() && reaches_shards;
        let is_signaled = subscription.signaled_at.is_some_and(|at| self.is_recent(at, now));
        [
            (Missing::Redis, !is_subscribed),
            (Missing::App, !does_app_answer || !app.is_usable),
            (Missing::Events, does_app_answer && is_subscribed && !is_signaled),
            (Missing::Draining, self.is_draining.load(Ordering::Relaxed)),
        ]
    }

    fn missing(&self, now: Instant) -> Vec<Missing> {
        self.parts(now).into_iter().filter_map(|(part, is_missing)| is_missing.then_some(part)).collect()
    }

    fn is_recent(&self, at: Instant, now: Instant) -> bool {
        now.duration_since(at) <= self.app_silence_limit
    }

    fn app(&self) -> MutexGuard<'_, AppState> {
        self.app.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn subscription(&self) -> MutexGuard<'_, Subscription> {
        self.subscription.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds `/healthz` (the process runs) and `/readyz` (the bridge can serve clients).
pub(crate) fn add_routes(router: Router, health: Arc<Health>) -> Router {
    router.route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(get_readiness).with_state(health))
}

async fn get_readiness(State(health): State<Arc<Health>>) -> impl IntoResponse {
    let missing: Vec<_> = health.missing(Instant::now()).into_iter().map(Missing::as_str).collect();
    let ready = missing.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::to_string(&Readiness { ready, missing }).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, "application/json")], body)
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP_SILENCE_LIMIT: Duration = Duration::from_secs(15);

    fn ready(now: Instant) -> Health {
        let health = Health::new(APP_SILENCE_LIMIT);
        health.record_subscribed(now);
        health.record_app_answer(now);
        health.record_app_usable(0);
        health.record_signal(now);
        health
    }

    #[test]
    fn a_bridge_that_has_just_started_is_missing_everything() {
        let now = Instant::now();
        assert_eq!(Health::new(APP_SILENCE_LIMIT).missing(now), [Missing::Redis, Missing::App]);
        assert_eq!(ready(now).missing(now), []);
    }

    #[test]
    fn an_app_is_missing_while_it_has_been_silent_for_too_long_and_until_it_is_checked_again() {
        let began = Instant::now();
        let health = ready(began);
        assert_eq!(health.missing(began + APP_SILENCE_LIMIT), []);
        let late = began + APP_SILENCE_LIMIT + Duration::from_millis(1);
        assert_eq!(health.missing(late), [Missing::App]);
        health.record_app_answer(late);
        health.record_signal(late);
        health.record_app_usable(0);
        assert_eq!(health.missing(late), [Missing::App], "these checks began before the silence");
        health.record_app_usable(health.app_returns());
        assert_eq!(health.missing(late), []);
        health.record_app_answer(late + APP_SILENCE_LIMIT);
        assert_eq!(health.missing(late), []);
    }

    #[test]
    fn events_are_missing_while_heartbeats_are_answered_and_their_signals_do_not_arrive() {
        let began = Instant::now();
        let health = ready(began);
        let late = began + APP_SILENCE_LIMIT + Duration::from_millis(1);
        health.record_app_answer(began + APP_SILENCE_LIMIT);
        assert_eq!(health.missing(late), [Missing::Events]);
        health.record_signal(late);
        assert_eq!(health.missing(late), []);
        health.record_subscribed(late);
        assert_eq!(health.missing(late), [Missing::Events]);
    }

    #[test]
    fn a_signal_is_due_only_for_heartbeats_after_the_subscription() {
        let (before, now) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        let health = Health::new(APP_SILENCE_LIMIT);
        assert!(!health.lacks_signal_since(now));
        health.record_subscribed(now);
        assert!(!health.lacks_signal_since(before));
        assert!(health.lacks_signal_since(now));
        health.record_signal(now);
        assert!(!health.lacks_signal_since(now));
    }

    #[test]
    fn in_a_cluster_one_shard_must_be_in_reach() {
        let now = Instant::now();
        let health = ready(now);
        health.record_shards(16);
        assert_eq!(health.missing(now), [Missing::Redis]);
        let (first, second) = (health.record_reached_shard(), health.record_reached_shard());
        drop(first);
        assert_eq!(health.missing(now), []);
        drop(second);
        assert_eq!(health.missing(now), [Missing::Redis]);
    }

    #[test]
    fn every_missing_part_is_named() {
        let now = Instant::now();
        let health = ready(now);
        health.record_unsubscribed();
        health.start_draining();
        assert_eq!(health.missing(now), [Missing::Redis, Missing::Draining]);
    }
}

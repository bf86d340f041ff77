//! Whether this bridge can serve clients: `/healthz` and `/readyz`, for load balancers and orchestrators.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::State, response::IntoResponse, routing::get};
use http::{StatusCode, header};
use serde::Serialize;
use tokio::time::Instant;

/// State of the parts that the bridge needs to serve. Each part is updated by the service that watches it.
#[derive(Debug)]
pub(crate) struct Health {
    is_subscribed: AtomicBool,
    is_draining: AtomicBool,
    app_answered_at: Mutex<Option<Instant>>,
    app_silence_limit: Duration,
}

/// A reason for which the bridge is not ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Missing {
    /// Subscriptions to rooms are not in place.
    Redis,
    /// The app has not answered a heartbeat for too long.
    App,
    /// The bridge is stopping and admits no new clients.
    Draining,
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    missing: Vec<Missing>,
}

impl Health {
    /// `app_silence_limit`: the app counts as available for this long after its last answer.
    pub(crate) fn new(app_silence_limit: Duration) -> Self {
        Self {
            is_subscribed: AtomicBool::new(false),
            is_draining: AtomicBool::new(false),
            app_answered_at: Mutex::new(None),
            app_silence_limit,
        }
    }

    /// Records whether the subscriptions to all rooms are in place.
    pub(crate) fn set_subscribed(&self, is_subscribed: bool) {
        self.is_subscribed.store(is_subscribed, Ordering::Relaxed);
    }

    /// Records that the app has answered a heartbeat.
    pub(crate) fn record_app_answer(&self, now: Instant) {
        *self.app_answered_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// Records that the bridge is stopping. It never becomes ready again.
    pub(crate) fn start_draining(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    fn missing(&self, now: Instant) -> Vec<Missing> {
        let app_answered_at = *self.app_answered_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_app_available =
            app_answered_at.is_some_and(|at| now.duration_since(at) <= self.app_silence_limit);
        [
            (Missing::Redis, !self.is_subscribed.load(Ordering::Relaxed)),
            (Missing::App, !is_app_available),
            (Missing::Draining, self.is_draining.load(Ordering::Relaxed)),
        ]
        .into_iter()
        .filter_map(|(part, is_missing)| is_missing.then_some(part))
        .collect()
    }
}

/// Adds `/healthz` (the process runs) and `/readyz` (the bridge can serve clients).
pub(crate) fn add_routes(router: Router, health: Arc<Health>) -> Router {
    router.route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(get_readiness).with_state(health))
}

async fn get_readiness(State(health): State<Arc<Health>>) -> impl IntoResponse {
    let missing = health.missing(Instant::now());
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
        health.set_subscribed(true);
        health.record_app_answer(now);
        health
    }

    #[test]
    fn a_bridge_that_has_just_started_is_missing_everything() {
        let now = Instant::now();
        assert_eq!(Health::new(APP_SILENCE_LIMIT).missing(now), [Missing::Redis, Missing::App]);
        assert_eq!(ready(now).missing(now), []);
    }

    #[test]
    fn an_app_is_missing_while_it_has_been_silent_for_too_long() {
        let began = Instant::now();
        let health = ready(began);
        assert_eq!(health.missing(began + APP_SILENCE_LIMIT), []);
        let late = began + APP_SILENCE_LIMIT + Duration::from_millis(1);
        assert_eq!(health.missing(late), [Missing::App]);
        health.record_app_answer(late);
        assert_eq!(health.missing(late), []);
    }

    #[test]
    fn every_missing_part_is_named() {
        let now = Instant::now();
        let health = ready(now);
        health.set_subscribed(false);
        health.start_draining();
        assert_eq!(serde_json::to_string(&health.missing(now)).unwrap(), r#"["redis","draining"]"#);
    }
}

//! Whether this bridge can serve, for whoever sends it clients.

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

/// What it takes to serve. Whoever learns that a part is there or away says so here.
#[derive(Debug)]
pub(crate) struct Health {
    is_subscribed: AtomicBool,
    is_draining: AtomicBool,
    app_answered_at: Mutex<Option<Instant>>,
    app_patience: Duration,
}

/// A part that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Missing {
    /// Rooms cannot be subscribed to.
    Redis,
    /// The app has not answered for too long.
    App,
    /// The bridge stops, and lets nobody in any more.
    Draining,
}

#[derive(Serialize)]
struct Report {
    ready: bool,
    missing: Vec<Missing>,
}

impl Health {
    /// `app_patience`: how long the app counts as there after it has answered.
    pub(crate) fn new(app_patience: Duration) -> Self {
        Self {
            is_subscribed: AtomicBool::new(false),
            is_draining: AtomicBool::new(false),
            app_answered_at: Mutex::new(None),
            app_patience,
        }
    }

    /// Whether all rooms are subscribed to in Redis.
    pub(crate) fn set_subscribed(&self, is_subscribed: bool) {
        self.is_subscribed.store(is_subscribed, Ordering::Relaxed);
    }

    /// The app has done what it was asked for.
    pub(crate) fn app_answered(&self, now: Instant) {
        *self.app_answered_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// The bridge begins to stop. There is no way back.
    pub(crate) fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    fn missing(&self, now: Instant) -> Vec<Missing> {
        let app_answered_at = *self.app_answered_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_app_there = app_answered_at.is_some_and(|at| now.duration_since(at) <= self.app_patience);
        [
            (Missing::Redis, !self.is_subscribed.load(Ordering::Relaxed)),
            (Missing::App, !is_app_there),
            (Missing::Draining, self.is_draining.load(Ordering::Relaxed)),
        ]
        .into_iter()
        .filter_map(|(part, is_missing)| is_missing.then_some(part))
        .collect()
    }
}

/// Adds `/healthz`, whether the process runs, and `/readyz`, whether it can serve.
pub(crate) fn add_routes(router: Router, health: Arc<Health>) -> Router {
    router.route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(is_ready).with_state(health))
}

async fn is_ready(State(health): State<Arc<Health>>) -> impl IntoResponse {
    let missing = health.missing(Instant::now());
    let ready = missing.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::to_string(&Report { ready, missing }).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, "application/json")], body)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(15);

    fn ready(now: Instant) -> Health {
        let health = Health::new(PATIENCE);
        health.set_subscribed(true);
        health.app_answered(now);
        health
    }

    #[test]
    fn a_bridge_that_has_just_started_misses_everything() {
        let now = Instant::now();
        assert_eq!(Health::new(PATIENCE).missing(now), [Missing::Redis, Missing::App]);
        assert_eq!(ready(now).missing(now), []);
    }

    #[test]
    fn an_app_that_is_silent_for_too_long_is_missing_until_it_answers() {
        let began = Instant::now();
        let health = ready(began);
        assert_eq!(health.missing(began + PATIENCE), []);
        let late = began + PATIENCE + Duration::from_millis(1);
        assert_eq!(health.missing(late), [Missing::App]);
        health.app_answered(late);
        assert_eq!(health.missing(late), []);
    }

    #[test]
    fn each_part_that_is_missing_is_named() {
        let now = Instant::now();
        let health = ready(now);
        health.set_subscribed(false);
        health.drain();
        assert_eq!(serde_json::to_string(&health.missing(now)).unwrap(), r#"["redis","draining"]"#);
    }
}

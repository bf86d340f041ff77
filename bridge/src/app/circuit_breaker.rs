//! Stops calls to the app while the app is away. Without the circuit breaker, calls would only wait for their time
//! limits, and all of them would arrive at once when the app comes back.
//!
//! Any answer of the app itself shows that the app is there, including a refusal and `UNAVAILABLE`: a missing part
//! behind the app stops the calls that need the part and no others.

use std::{
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::telemetry::metrics::{self, CircuitState};

/// The circuit opens after this many failures without a success between them.
const FAILURE_THRESHOLD: u32 = 5;

/// The failures must also span this much time. When one instance of the app ends, all its connections break at once,
/// and the next attempt reaches another instance.
const MIN_FAILURE_SPAN: Duration = Duration::from_secs(1);

/// How long the circuit stays open, in milliseconds. The time is drawn at random so that bridges do not probe in step.
const OPEN_MS: Range<u64> = 1_000..2_000;

/// Decides whether calls to the app are made.
#[derive(Debug, Default)]
pub(super) struct CircuitBreaker(Mutex<State>);

#[derive(Debug)]
enum State {
    /// All calls are admitted.
    Closed(Option<Failures>),
    /// No call is admitted until this time.
    Open(Instant),
    /// One call is under way as a probe; its outcome decides.
    HalfOpen,
}

/// Consecutive failures.
#[derive(Debug, Clone, Copy)]
struct Failures {
    /// When the first of the failed calls began.
    since: Instant,
    count: u32,
}

/// An admitted call. Dropping it without an outcome records nothing.
#[derive(Debug)]
pub(super) struct AdmittedCall<'a> {
    breaker: &'a CircuitBreaker,
    began: Instant,
    /// Whether the call's outcome decides what becomes of the half-open circuit.
    is_probe: bool,
}

impl Default for State {
    fn default() -> Self {
        Self::Closed(None)
    }
}

impl CircuitBreaker {
    /// Whether a call would be admitted now.
    pub(super) fn admits(&self) -> bool {
        self.state().admits(Instant::now())
    }

    /// Admits a call unless the circuit is open. The first call after the open time is the probe.
    pub(super) fn try_admit(&self) -> Option<AdmittedCall<'_>> {
        let now = Instant::now();
        let mut state = self.state();
        if !state.admits(now) {
            return None;
        }
        let is_probe = matches!(*state, State::Open(_));
        if is_probe {
            change_state(&mut state, State::HalfOpen);
        }
        Some(AdmittedCall { breaker: self, began: now, is_probe })
    }

    /// Admits a call whatever the state.
    pub(super) fn admit_always(&self) -> AdmittedCall<'_> {
        AdmittedCall { breaker: self, began: Instant::now(), is_probe: false }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn admits(&self, now: Instant) -> bool {
        match self {
            Self::Closed(_) => true,
            Self::Open(until) => *until <= now,
            Self::HalfOpen => false,
        }
    }

    fn label(&self) -> CircuitState {
        match self {
            Self::Closed(_) => CircuitState::Closed,
            Self::Open(_) => CircuitState::Open,
            Self::HalfOpen => CircuitState::HalfOpen,
        }
    }
}

impl AdmittedCall<'_> {
    /// Records that the app answered.
    pub(super) fn record_success(mut self) {
        self.is_probe = false;
        change_state(&mut self.breaker.state(), State::Closed(None));
    }

    /// Records that the app did not answer.
    pub(super) fn record_failure(mut self) {
        let mut state = self.breaker.state();
        let now = Instant::now();
        match &mut *state {
            State::Closed(failures) => {
                let Failures { since, count } = failures.unwrap_or(Failures { since: self.began, count: 0 });
                *failures = Some(Failures { since, count: count + 1 });
                if count + 1 >= FAILURE_THRESHOLD && now.duration_since(since) >= MIN_FAILURE_SPAN {
                    change_state(&mut state, State::Open(now + open_time()));
                }
            }
            State::HalfOpen if self.is_probe => change_state(&mut state, State::Open(now + open_time())),
            // The call began before the circuit opened, so its failure is nothing new.
            State::HalfOpen | State::Open(_) => {}
        }
        drop(state);
        self.is_probe = false;
    }
}

impl Drop for AdmittedCall<'_> {
    fn drop(&mut self) {
        // A probe that was given up says nothing; the next call becomes the probe.
        if self.is_probe {
            let mut state = self.breaker.state();
            if matches!(*state, State::HalfOpen) {
                change_state(&mut state, State::Open(Instant::now()));
            }
        }
    }
}

fn open_time() -> Duration {
    Duration::from_millis(fastrand::u64(OPEN_MS))
}

fn change_state(state: &mut State, next: State) {
    let (from, to) = (state.label(), next.label());
    *state = next;
    match to {
        _ if from == to => return,
        CircuitState::Closed => tracing::info!("app.back"),
        CircuitState::Open if from == CircuitState::Closed => tracing::warn!("app.away"),
        _ => {}
    }
    metrics::record_circuit_state(to);
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    /// Longer than the circuit stays open.
    const AFTER_OPEN: Duration = Duration::from_millis(OPEN_MS.end);

    /// Makes calls that all begin at the same time and fail.
    fn fail(breaker: &CircuitBreaker, times: u32) {
        let calls: Vec<_> = (0..times).map(|_| breaker.try_admit().unwrap()).collect();
        calls.into_iter().for_each(AdmittedCall::record_failure);
    }

    async fn open() -> CircuitBreaker {
        let breaker = CircuitBreaker::default();
        fail(&breaker, FAILURE_THRESHOLD - 1);
        advance(MIN_FAILURE_SPAN).await;
        fail(&breaker, 1);
        assert!(!breaker.admits());
        breaker
    }

    #[tokio::test(start_paused = true)]
    async fn the_circuit_opens_when_the_app_has_failed_for_a_while() {
        let breaker = open().await;
        assert!(breaker.try_admit().is_none());
        advance(Duration::from_millis(OPEN_MS.start - 1)).await;
        assert!(breaker.try_admit().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_hang_count_from_when_they_began() {
        let breaker = CircuitBreaker::default();
        let calls: Vec<_> = (0..FAILURE_THRESHOLD).map(|_| breaker.try_admit().unwrap()).collect();
        advance(MIN_FAILURE_SPAN).await;
        calls.into_iter().for_each(AdmittedCall::record_failure);
        assert!(!breaker.admits());
    }

    #[tokio::test(start_paused = true)]
    async fn connections_that_break_at_once_do_not_open_the_circuit() {
        let breaker = CircuitBreaker::default();
        fail(&breaker, 100);
        assert!(breaker.admits());
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_resets_the_count_of_failures() {
        let breaker = CircuitBreaker::default();
        fail(&breaker, FAILURE_THRESHOLD - 1);
        advance(MIN_FAILURE_SPAN).await;
        breaker.try_admit().unwrap().record_success();
        fail(&breaker, FAILURE_THRESHOLD - 1);
        advance(MIN_FAILURE_SPAN).await;
        assert!(breaker.admits());
        fail(&breaker, 1);
        assert!(!breaker.admits());
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_open_time_one_call_is_the_probe_and_decides() {
        let breaker = open().await;
        advance(AFTER_OPEN).await;
        let probe = breaker.try_admit().unwrap();
        assert!(breaker.try_admit().is_none(), "only one");
        probe.record_failure();
        assert!(breaker.try_admit().is_none(), "still open");
        advance(AFTER_OPEN).await;
        breaker.try_admit().unwrap().record_success();
        assert!(breaker.admits());
        fail(&breaker, FAILURE_THRESHOLD);
        assert!(breaker.admits(), "failures before the success do not count");
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_call_becomes_the_probe_when_a_probe_is_given_up() {
        let breaker = open().await;
        advance(AFTER_OPEN).await;
        drop(breaker.try_admit().unwrap());
        breaker.try_admit().unwrap().record_success();
        assert!(breaker.admits());
    }

    #[tokio::test(start_paused = true)]
    async fn a_heartbeat_is_always_admitted_and_closes_the_circuit() {
        let breaker = open().await;
        breaker.admit_always().record_failure();
        assert!(!breaker.admits());
        breaker.admit_always().record_success();
        assert!(breaker.admits());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_fail_late_do_not_keep_the_circuit_open() {
        let breaker = CircuitBreaker::default();
        let late = breaker.try_admit().unwrap();
        fail(&breaker, FAILURE_THRESHOLD - 1);
        advance(MIN_FAILURE_SPAN).await;
        fail(&breaker, 1);
        advance(AFTER_OPEN).await;
        late.record_failure();
        let probe = breaker.try_admit().unwrap();
        breaker.admit_always().record_failure();
        probe.record_success();
        assert!(breaker.admits());
    }
}

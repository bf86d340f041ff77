//! Whether the app is asked at all. While it is away, calls would only wait for their time limits, and when it comes
//! back they would all be there at once.
//!
//! Any answer of the app's own shows that it is there, a refusal and `UNAVAILABLE` included: that a part behind it is
//! missing stops those who need the part and not the others.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::telemetry::metrics;

/// After how many failures without a success between them the app counts as away.
const FAILURES: u32 = 5;

/// For how long it must have failed by then: when one instance of the app ends, all its connections break at once, and
/// the next try reaches another.
const TROUBLE: Duration = Duration::from_secs(1);

/// How long nobody is let through then, in milliseconds; somewhere in between, so that bridges do not knock in step.
const PAUSE_MS: std::ops::Range<u64> = 1_000..2_000;

/// Whether the app is asked.
#[derive(Debug, Default)]
pub(super) struct Circuit(Mutex<State>);

#[derive(Debug)]
enum State {
    /// Everybody is let through.
    Closed(Option<Trouble>),
    /// Nobody is, until a time.
    Open(Instant),
    /// One is, and what becomes of that call decides.
    HalfOpen,
}

/// Failures without a success between them.
#[derive(Debug, Clone, Copy)]
struct Trouble {
    /// When the first of the calls began.
    since: Instant,
    failures: u32,
}

/// A call that was let through, until it is dropped.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    circuit: &'a Circuit,
    began: Instant,
    /// Whether others wait for what becomes of it.
    is_probe: bool,
}

impl Default for State {
    fn default() -> Self {
        Self::Closed(None)
    }
}

impl Circuit {
    /// Whether a call would be let through now.
    pub(super) fn admits(&self) -> bool {
        self.state().admits(Instant::now())
    }

    /// Lets a call through, unless the app is known to be away. The first one after the pause is the probe.
    pub(super) fn enter(&self) -> Option<Pass<'_>> {
        let now = Instant::now();
        let mut state = self.state();
        if !state.admits(now) {
            return None;
        }
        let is_probe = matches!(*state, State::Open(_));
        if is_probe {
            become_(&mut state, State::HalfOpen);
        }
        Some(Pass { circuit: self, began: now, is_probe })
    }

    /// Lets a call through in any case.
    pub(super) fn enter_anyway(&self) -> Pass<'_> {
        Pass { circuit: self, began: Instant::now(), is_probe: false }
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
}

impl Pass<'_> {
    /// The app has answered.
    pub(super) fn succeeded(mut self) {
        self.is_probe = false;
        become_(&mut self.circuit.state(), State::Closed(None));
    }

    /// The app has not answered.
    pub(super) fn failed(mut self) {
        let mut state = self.circuit.state();
        let now = Instant::now();
        match &mut *state {
            State::Closed(trouble) => {
                let Trouble { since, failures } =
                    trouble.unwrap_or(Trouble { since: self.began, failures: 0 });
                *trouble = Some(Trouble { since, failures: failures + 1 });
                if failures + 1 >= FAILURES && now.duration_since(since) >= TROUBLE {
                    become_(&mut state, State::Open(now + pause()));
                }
            }
            State::HalfOpen if self.is_probe => become_(&mut state, State::Open(now + pause())),
            // It began before, and tells nothing new.
            State::HalfOpen | State::Open(_) => {}
        }
        drop(state);
        self.is_probe = false;
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        // Whoever waited for a probe gave up, which says nothing; the next call is the probe.
        if self.is_probe {
            let mut state = self.circuit.state();
            if matches!(*state, State::HalfOpen) {
                become_(&mut state, State::Open(Instant::now()));
            }
        }
    }
}

fn pause() -> Duration {
    Duration::from_millis(fastrand::u64(PAUSE_MS))
}

fn become_(state: &mut State, next: State) {
    let label = |state: &State| match state {
        State::Closed(_) => metrics::Circuit::Closed,
        State::Open(_) => metrics::Circuit::Open,
        State::HalfOpen => metrics::Circuit::HalfOpen,
    };
    let (from, to) = (label(state), label(&next));
    *state = next;
    match to {
        _ if from == to => return,
        metrics::Circuit::Closed => tracing::info!("app.back"),
        metrics::Circuit::Open if from == metrics::Circuit::Closed => tracing::warn!("app.away"),
        _ => {}
    }
    metrics::circuit(to);
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    /// Longer than any pause.
    const LATER: Duration = Duration::from_millis(PAUSE_MS.end);

    /// Fails so often, all calls begun and ended at once.
    fn fail(circuit: &Circuit, times: u32) {
        let passes: Vec<_> = (0..times).map(|_| circuit.enter().unwrap()).collect();
        passes.into_iter().for_each(Pass::failed);
    }

    async fn open() -> Circuit {
        let circuit = Circuit::default();
        fail(&circuit, FAILURES - 1);
        advance(TROUBLE).await;
        fail(&circuit, 1);
        assert!(!circuit.admits());
        circuit
    }

    #[tokio::test(start_paused = true)]
    async fn an_app_that_fails_for_a_while_is_not_asked_any_more() {
        let circuit = open().await;
        assert!(circuit.enter().is_none());
        advance(Duration::from_millis(PAUSE_MS.start - 1)).await;
        assert!(circuit.enter().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_hang_count_from_when_they_began() {
        let circuit = Circuit::default();
        let passes: Vec<_> = (0..FAILURES).map(|_| circuit.enter().unwrap()).collect();
        advance(TROUBLE).await;
        passes.into_iter().for_each(Pass::failed);
        assert!(!circuit.admits());
    }

    #[tokio::test(start_paused = true)]
    async fn connections_that_break_at_once_do_not_make_the_app_away() {
        let circuit = Circuit::default();
        fail(&circuit, 100);
        assert!(circuit.admits());
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_in_between_forgets_what_failed_before() {
        let circuit = Circuit::default();
        fail(&circuit, FAILURES - 1);
        advance(TROUBLE).await;
        circuit.enter().unwrap().succeeded();
        fail(&circuit, FAILURES - 1);
        advance(TROUBLE).await;
        assert!(circuit.admits());
        fail(&circuit, 1);
        assert!(!circuit.admits());
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_pause_one_call_is_let_through_and_decides() {
        let circuit = open().await;
        advance(LATER).await;
        let probe = circuit.enter().unwrap();
        assert!(circuit.enter().is_none(), "one");
        probe.failed();
        assert!(circuit.enter().is_none(), "away still");
        advance(LATER).await;
        circuit.enter().unwrap().succeeded();
        assert!(circuit.admits());
        fail(&circuit, FAILURES);
        assert!(circuit.admits(), "what was before does not count");
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_is_given_up_makes_way_for_another() {
        let circuit = open().await;
        advance(LATER).await;
        drop(circuit.enter().unwrap());
        circuit.enter().unwrap().succeeded();
        assert!(circuit.admits());
    }

    #[tokio::test(start_paused = true)]
    async fn a_heartbeat_is_let_through_at_any_time_and_ends_the_pause() {
        let circuit = open().await;
        circuit.enter_anyway().failed();
        assert!(!circuit.admits());
        circuit.enter_anyway().succeeded();
        assert!(circuit.admits());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_fail_late_do_not_prolong_the_pause() {
        let circuit = Circuit::default();
        let late = circuit.enter().unwrap();
        fail(&circuit, FAILURES - 1);
        advance(TROUBLE).await;
        fail(&circuit, 1);
        advance(LATER).await;
        late.failed();
        let probe = circuit.enter().unwrap();
        circuit.enter_anyway().failed();
        probe.succeeded();
        assert!(circuit.admits());
    }
}

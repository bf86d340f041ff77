//! Knows when this bridge should ask the app for a sweep.
//!
//! The app tells all bridges when something is due next: in its answers to heartbeats and sweeps, and over Redis. All
//! bridges wait for the same moment, and each one for a little longer than those that rank before it. Whoever asks first
//! has the app tell the others that nothing is due any more. So one call does the work, and a bridge that has been killed
//! delays the sweep only by the distance of two ranks.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rollcall_protocol::event::NextDue;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::telemetry::metrics;

/// How long a bridge waits for the one that ranks before it: long enough for a sweep, and for the news of it.
const RANK_DELAY: Duration = Duration::from_millis(250);

/// The shortest time between two asks of this bridge, however much is due. Shorter than the delay of a rank, so that the
/// first bridge asks again before the second one does.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// A timer may not wait for years, and a session may.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// When this bridge should ask for a sweep.
#[derive(Default)]
pub(crate) struct SweepTimer {
    schedule: Mutex<Schedule>,
    changed: Notify,
}

impl SweepTimer {
    /// Learns when something is due next.
    pub(crate) fn learn(&self, next_due: NextDue) {
        let mut schedule = self.schedule();
        schedule.learn(next_due, Instant::now());
        metrics::record_next_deadline(schedule.unsettled.map(|deadline| deadline.passes_at.into_std()));
        drop(schedule);
        self.changed.notify_one();
    }

    /// Learns how many bridges rank before this one. Without a rank, the bridge never asks.
    pub(crate) fn learn_rank(&self, rank: Option<u32>) {
        self.schedule().rank = rank;
        self.changed.notify_one();
    }

    /// Waits until this bridge should ask. What was due then is not due any more until the bridge hears so again: if the
    /// ask fails, the answer to the next heartbeat says so.
    pub(crate) async fn wait_until_due(&self) {
        loop {
            let now = Instant::now();
            let asks_at = self.schedule().asks_at();
            if asks_at.is_some_and(|at| at <= now) {
                self.schedule().deadline = None;
                return;
            }
            let longest = now + LONGEST_WAIT;
            tokio::select! {
                () = sleep_until(asks_at.map_or(longest, |at| at.min(longest))) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    /// Records that an ask has ended.
    pub(crate) fn end_ask(&self) {
        self.schedule().paused_until = Some(Instant::now() + SHORTEST_PAUSE);
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        // Nothing panics while it holds the lock.
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next deadline that this bridge knows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Deadline {
    /// By Redis's clock.
    at_ms: u64,
    /// By this bridge's clock; when the bridge heard of it, if it was overdue already.
    due: Instant,
    /// By this bridge's clock, also if it was overdue already.
    passes_at: Instant,
}

#[derive(Default)]
struct Schedule {
    rank: Option<u32>,
    /// What this bridge asks for next.
    deadline: Option<Deadline>,
    /// The same until somebody has settled it: an ask may fail.
    unsettled: Option<Deadline>,
    /// The time of the latest look at the deadlines that this bridge has heard of, by Redis's clock.
    as_of_ms: u64,
    paused_until: Option<Instant>,
}

impl Schedule {
    /// A later look at all deadlines counts instead of an earlier one. A look at one room, or an earlier look that arrives
    /// late, can only add a deadline.
    fn learn(&mut self, next_due: NextDue, now: Instant) {
        let NextDue { as_of, due_at, is_partial } = next_due;
        let learned = due_at.and_then(|at_ms| {
            let due = now.checked_add(Duration::from_millis(at_ms.saturating_sub(as_of)))?;
            let passes_at = due.checked_sub(Duration::from_millis(as_of.saturating_sub(at_ms)))?;
            let learned = Deadline { at_ms, due, passes_at };
            // An overdue deadline is due since this bridge has first heard of it.
            Some(self.deadline.filter(|known| known.at_ms == at_ms).unwrap_or(learned))
        });
        let is_newer = as_of > self.as_of_ms;
        let next = |known: Option<Deadline>| {
            if is_newer && !is_partial {
                learned
            } else {
                known.into_iter().chain(learned).min_by_key(|deadline| deadline.at_ms)
            }
        };
        (self.deadline, self.unsettled) = (next(self.deadline), next(self.unsettled));
        self.as_of_ms = self.as_of_ms.max(as_of);
    }

    /// When this bridge should ask, if nobody else does before.
    fn asks_at(&self) -> Option<Instant> {
        let at = self.deadline?.due + RANK_DELAY * self.rank?;
        Some(self.paused_until.map_or(at, |until| at.max(until)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A time by Redis's clock.
    const NOW_MS: u64 = 1_800_000_000_000;

    fn ranked(rank: u32) -> Schedule {
        Schedule { rank: Some(rank), ..Schedule::default() }
    }

    /// A look at all deadlines, so many milliseconds after the start.
    fn look(as_of: u64, due_at: Option<u64>) -> NextDue {
        NextDue { as_of: NOW_MS + as_of, due_at: due_at.map(|at| NOW_MS + at), is_partial: false }
    }

    /// A look at one room.
    fn near(as_of: u64, due_at: u64) -> NextDue {
        NextDue { is_partial: true, ..look(as_of, Some(due_at)) }
    }

    #[test]
    fn a_bridge_asks_at_the_deadline_and_a_little_later_for_each_bridge_before_it() {
        let now = Instant::now();
        for rank in [0, 1, 4] {
            let mut schedule = ranked(rank);
            assert_eq!(schedule.asks_at(), None);
            schedule.learn(look(0, Some(1000)), now);
            assert_eq!(schedule.asks_at(), Some(now + SECOND + rank * RANK_DELAY));
        }
    }

    #[test]
    fn a_bridge_without_a_rank_never_asks() {
        let mut schedule = Schedule::default();
        schedule.learn(look(0, Some(0)), Instant::now());
        assert_eq!(schedule.asks_at(), None);
    }

    #[test]
    fn a_later_look_counts_instead_of_an_earlier_one() {
        let now = Instant::now();
        let mut schedule = ranked(0);
        schedule.learn(look(0, Some(1000)), now);
        schedule.learn(look(500, Some(9500)), now + SECOND / 2);
        assert_eq!(schedule.asks_at(), Some(now + SECOND / 2 + 9 * SECOND));
        schedule.learn(look(501, None), now + SECOND);
        assert_eq!(schedule.asks_at(), None, "another bridge has asked");
    }

    #[test]
    fn an_earlier_look_that_arrives_late_and_a_look_at_one_room_only_add_a_deadline() {
        let now = Instant::now();
        let mut schedule = ranked(0);
        schedule.learn(look(500, Some(2500)), now);
        schedule.learn(look(400, Some(9000)), now);
        schedule.learn(near(600, 9000), now);
        assert_eq!(schedule.asks_at(), Some(now + 2 * SECOND));
        schedule.learn(near(700, 1700), now);
        assert_eq!(schedule.asks_at(), Some(now + SECOND));
        schedule.learn(look(650, Some(9000)), now);
        assert_eq!(schedule.asks_at(), Some(now + SECOND), "this look did not see the near deadline");
        schedule.learn(look(701, Some(9701)), now);
        assert_eq!(schedule.asks_at(), Some(now + 9 * SECOND));
    }

    #[test]
    fn a_near_deadline_that_was_not_the_first_is_kept_against_an_earlier_look() {
        let now = Instant::now();
        let mut schedule = ranked(0);
        schedule.learn(look(0, Some(1000)), now);
        schedule.learn(near(500, 2500), now);
        schedule.learn(look(400, Some(9400)), now);
        assert_eq!(schedule.asks_at(), Some(now + SECOND));
    }

    #[test]
    fn an_overdue_deadline_is_due_when_a_bridge_first_hears_of_it() {
        let now = Instant::now();
        let mut schedule = ranked(2);
        schedule.learn(look(9000, Some(1000)), now);
        assert_eq!(
            schedule.asks_at(),
            Some(now + 2 * RANK_DELAY),
            "bridges that come back do not ask at once"
        );
        schedule.learn(look(9100, Some(1000)), now + SECOND / 10);
        assert_eq!(schedule.asks_at(), Some(now + 2 * RANK_DELAY), "nor ever later");
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_is_unsettled_until_a_later_look_does_not_see_it() {
        let timer = SweepTimer::default();
        timer.learn_rank(Some(0));
        timer.learn(look(5000, Some(1000)));
        let passed_at = || timer.schedule().unsettled.map(|deadline| deadline.passes_at);
        let since = passed_at().unwrap();
        assert_eq!(since + 4 * SECOND, Instant::now(), "the bridge was late to hear of it");
        timer.wait_until_due().await;
        timer.end_ask();
        assert_eq!(passed_at(), Some(since), "the ask may fail");
        timer.learn(near(6000, 6500));
        assert_eq!(passed_at(), Some(since), "a look at one room says nothing about others");
        timer.learn(look(6001, None));
        assert_eq!(passed_at(), None);
    }

    #[test]
    fn a_deadline_beyond_all_time_is_none() {
        let mut schedule = ranked(0);
        schedule.learn(NextDue { as_of: 0, due_at: Some(u64::MAX), is_partial: true }, Instant::now());
        assert!(schedule.asks_at().is_none_or(|at| at > Instant::now() + LONGEST_WAIT));
    }

    /// Counts the asks of a bridge that always hears that something is overdue.
    async fn count_asks(timer: &SweepTimer, ended: Instant) -> u32 {
        let mut asks = 0;
        loop {
            tokio::select! {
                () = timer.wait_until_due() => asks += 1,
                () = sleep_until(ended) => return asks,
            }
            timer.end_ask();
            timer.learn(look(u64::from(asks), Some(0)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn however_much_is_due_a_bridge_pauses_between_its_asks() {
        let timer = SweepTimer::default();
        timer.learn_rank(Some(0));
        timer.learn(look(0, Some(0)));
        let asks = count_asks(&timer, Instant::now() + 10 * SHORTEST_PAUSE - Duration::from_millis(1)).await;
        assert_eq!(asks, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn an_ask_that_fails_is_not_repeated_until_the_app_says_that_something_is_due() {
        let timer = SweepTimer::default();
        timer.learn_rank(Some(0));
        timer.learn(look(0, Some(1000)));
        let began = Instant::now();
        timer.wait_until_due().await;
        assert_eq!(began.elapsed(), SECOND);
        timer.end_ask();
        let is_quiet = tokio::time::timeout(9 * SECOND, timer.wait_until_due()).await.is_err();
        assert!(is_quiet);
        timer.learn(look(10_000, Some(1000)));
        timer.wait_until_due().await;
        assert_eq!(began.elapsed(), 10 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_comes_nearer_wakes_a_bridge_that_waits() {
        let timer = SweepTimer::default();
        timer.learn_rank(Some(0));
        timer.learn(look(0, Some(1000 * 3600 * 24 * 365 * 3000)));
        let began = Instant::now();
        let learn = async {
            sleep_until(began + 5000 * SECOND).await;
            timer.learn(near(5_000_000, 5_001_000));
        };
        tokio::join!(timer.wait_until_due(), learn);
        assert_eq!(began.elapsed(), 5001 * SECOND);
    }
}

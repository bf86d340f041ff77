//! Limits how many calls to the app run at the same time.
//!
//! Joins have a lower limit of their own within the limit of all calls, so that a rush of joins leaves room for leaves
//! and connects. Two calls are exempt: the heartbeat, because the app would take every connection for lost without it,
//! and the call that reports disconnects. A bridge never makes more than one of each at the same time.

use std::time::Duration;

use rollcall_protocol::event::EventKind;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use crate::telemetry::metrics;

/// Number of calls that are exempt from the limit: one heartbeat and one call that reports disconnects.
pub(super) const EXEMPT_CALLS: usize = 2;

/// Which permits a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// None.
    Exempt,
    /// A call permit.
    Shared,
    /// A join permit, then a call permit.
    Join,
}

impl Lane {
    /// The permits of a call that sends one event of this kind.
    pub(super) fn of(kind: EventKind) -> Self {
        match kind {
            EventKind::Heartbeat => Self::Exempt,
            EventKind::Join => Self::Join,
            _ => Self::Shared,
        }
    }
}

/// Hands out permits for calls.
pub(super) struct ConcurrencyLimit {
    calls: Semaphore,
    joins: Semaphore,
    wait_limit: Duration,
}

/// The permits of one call; dropping them gives them back.
#[derive(Debug, Default)]
pub(super) struct CallPermit<'a> {
    _call: Option<SemaphorePermit<'a>>,
    _join: Option<SemaphorePermit<'a>>,
}

/// No permit became free in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overloaded;

impl ConcurrencyLimit {
    /// Allows `max_calls` at the same time, [`EXEMPT_CALLS`] included, and among them `max_joins` joins. A call waits
    /// up to `wait_limit` for its permits.
    pub(super) fn new(max_calls: usize, max_joins: usize, wait_limit: Duration) -> Self {
        let calls = Semaphore::new(max_calls.saturating_sub(EXEMPT_CALLS));
        Self { calls, joins: Semaphore::new(max_joins), wait_limit }
    }

    /// Waits for permits, first come first served.
    pub(super) async fn acquire(&self, lane: Lane) -> Result<CallPermit<'_>, Overloaded> {
        if lane == Lane::Exempt {
            return Ok(CallPermit::default());
        }
        let _waiting = metrics::track_waiting_call();
        timeout(self.wait_limit, self.wait(lane)).await.map_err(|_| Overloaded)
    }

    async fn wait(&self, lane: Lane) -> CallPermit<'_> {
        // The semaphores are never closed, so a permit becomes free at some time.
        let join = if lane == Lane::Join { self.joins.acquire().await.ok() } else { None };
        CallPermit { _call: self.calls.acquire().await.ok(), _join: join }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::time::Instant;

    use super::*;

    const WAIT_LIMIT: Duration = Duration::from_secs(1);

    fn limit() -> ConcurrencyLimit {
        ConcurrencyLimit::new(2 + EXEMPT_CALLS, 1, WAIT_LIMIT)
    }

    #[tokio::test(start_paused = true)]
    async fn calls_wait_for_permits_first_come_first_served() {
        let limit = limit();
        let permits =
            (limit.acquire(Lane::Shared).await.unwrap(), limit.acquire(Lane::Shared).await.unwrap());
        let (mut first, mut second) =
            (Box::pin(limit.acquire(Lane::Shared)), Box::pin(limit.acquire(Lane::Shared)));
        assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        drop(permits.0);
        assert!(second.as_mut().now_or_never().is_none(), "the first call is served first");
        let first = first.await.unwrap();
        drop(first);
        second.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_waits_no_longer_than_the_limit() {
        let limit = limit();
        let _permits = (limit.acquire(Lane::Shared).await, limit.acquire(Lane::Shared).await);
        let began = Instant::now();
        assert_eq!(limit.acquire(Lane::Shared).await.unwrap_err(), Overloaded);
        assert_eq!(limit.acquire(Lane::Join).await.unwrap_err(), Overloaded);
        assert_eq!(began.elapsed(), 2 * WAIT_LIMIT);
        assert!(limit.acquire(Lane::Exempt).now_or_never().is_some(), "a heartbeat does not wait");
    }

    #[tokio::test(start_paused = true)]
    async fn joins_leave_room_for_other_calls_and_waiting_joins_take_none() {
        let limit = limit();
        let join = limit.acquire(Lane::Join).await.unwrap();
        let mut next = Box::pin(limit.acquire(Lane::Join));
        assert!(next.as_mut().now_or_never().is_none());
        assert!(limit.acquire(Lane::Shared).now_or_never().is_some());
        drop(join);
        next.await.unwrap();
    }
}

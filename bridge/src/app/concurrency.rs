//! How many calls of the app are under way at once, and who waits for a turn.
//!
//! Joins have a bound of their own below that of all calls, so that a rush of them leaves room for those who leave and
//! connect. Two calls wait for nobody: the heartbeat, without which everybody would be taken for lost, and the one that
//! tells of lost connections. There is never more than one of each.

use std::time::Duration;

use rollcall_protocol::event::EventKind;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use crate::telemetry::metrics;

/// How many calls wait for nobody.
pub(crate) const OWN_LANES: usize = 2;

/// Which way a call takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// One of its own.
    Own,
    /// The one that all share.
    Shared,
    /// That one, after the one of joins.
    Joins,
}

impl Lane {
    /// The way of a call that delivers one event.
    pub(super) fn of(kind: EventKind) -> Self {
        match kind {
            EventKind::Heartbeat => Self::Own,
            EventKind::Join => Self::Joins,
            _ => Self::Shared,
        }
    }
}

/// All ways to the app.
pub(super) struct Lanes {
    shared: Semaphore,
    joins: Semaphore,
    wait_limit: Duration,
}

/// A call's place among those that are under way, until it is dropped.
#[derive(Debug, Default)]
pub(super) struct Place<'a> {
    _shared: Option<SemaphorePermit<'a>>,
    _join: Option<SemaphorePermit<'a>>,
}

/// There was no place in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overloaded;

impl Lanes {
    /// With so many calls at once, [`OWN_LANES`] included. Whoever has no place within the limit is sent away.
    pub(super) fn new(max_calls: usize, max_joins: usize, wait_limit: Duration) -> Self {
        let shared = Semaphore::new(max_calls.saturating_sub(OWN_LANES));
        Self { shared, joins: Semaphore::new(max_joins), wait_limit }
    }

    /// Waits for a place, those who came first before.
    pub(super) async fn enter(&self, lane: Lane) -> Result<Place<'_>, Overloaded> {
        if lane == Lane::Own {
            return Ok(Place::default());
        }
        let _waiting = metrics::app_call_waiting();
        timeout(self.wait_limit, self.wait(lane)).await.map_err(|_| Overloaded)
    }

    async fn wait(&self, lane: Lane) -> Place<'_> {
        // Nobody closes a lane, so there is always a place at last.
        let join = if lane == Lane::Joins { self.joins.acquire().await.ok() } else { None };
        Place { _shared: self.shared.acquire().await.ok(), _join: join }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::time::Instant;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(1);

    fn lanes() -> Lanes {
        Lanes::new(2 + OWN_LANES, 1, LIMIT)
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_place_waits_for_one_in_turn() {
        let lanes = lanes();
        let places = (lanes.enter(Lane::Shared).await.unwrap(), lanes.enter(Lane::Shared).await.unwrap());
        let (mut first, mut second) =
            (Box::pin(lanes.enter(Lane::Shared)), Box::pin(lanes.enter(Lane::Shared)));
        assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        drop(places.0);
        assert!(second.as_mut().now_or_never().is_none(), "the first is before");
        let first = first.await.unwrap();
        drop(first);
        second.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_the_limit() {
        let lanes = lanes();
        let _places = (lanes.enter(Lane::Shared).await, lanes.enter(Lane::Shared).await);
        let began = Instant::now();
        assert_eq!(lanes.enter(Lane::Shared).await.unwrap_err(), Overloaded);
        assert_eq!(lanes.enter(Lane::Joins).await.unwrap_err(), Overloaded);
        assert_eq!(began.elapsed(), 2 * LIMIT);
        assert!(lanes.enter(Lane::Own).now_or_never().is_some(), "a heartbeat does not wait");
    }

    #[tokio::test(start_paused = true)]
    async fn joins_leave_room_for_others_and_those_that_wait_take_none() {
        let lanes = lanes();
        let join = lanes.enter(Lane::Joins).await.unwrap();
        let mut next = Box::pin(lanes.enter(Lane::Joins));
        assert!(next.as_mut().now_or_never().is_none());
        assert!(lanes.enter(Lane::Shared).now_or_never().is_some());
        drop(join);
        next.await.unwrap();
    }
}

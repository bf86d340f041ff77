//! Limits how many calls to the app run at the same time. A call counts once, however many events it carries.
//!
//! Joins have a lower limit of their own within the limit of all calls, so that a rush of joins leaves room for leaves
//! and connects. So have calls of the chat, because the app may ask the platform about each message, and a platform that
//! does not answer must not hold up everything else. Two calls are exempt: the heartbeat, because the app would take
//! every connection for lost without it, and one call that reports disconnects. A bridge never makes more than one
//! heartbeat at the same time.

use std::sync::Arc;

use rollcall_protocol::event::EventKind;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Number of calls that are exempt from the limit: one heartbeat and one call that reports disconnects.
pub(super) const EXEMPT_CALLS: usize = 2;

/// The fewest calls that may be no joins: those that are exempt, one for the chat and one for everything else.
pub(super) const RESERVED_CALLS: usize = EXEMPT_CALLS + 2;

/// Which permits a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// None.
    Exempt,
    /// A call permit, or the one permit that is reserved for disconnects.
    Disconnect,
    /// A call permit.
    Shared,
    /// A join permit, then a call permit.
    Join,
    /// A chat permit, then a call permit.
    Chat,
}

impl Lane {
    /// The permits of a call that sends events of this kind.
    pub(super) fn of(kind: EventKind) -> Self {
        match kind {
            EventKind::Heartbeat => Self::Exempt,
            EventKind::Disconnect => Self::Disconnect,
            EventKind::Join => Self::Join,
            EventKind::Chat => Self::Chat,
            EventKind::Connect
            | EventKind::Leave
            | EventKind::Read
            | EventKind::Sweep
            | EventKind::Timer
            | EventKind::Status
            | EventKind::Code
            | EventKind::Lobby => Self::Shared,
        }
    }
}

/// Hands out permits for calls.
pub(super) struct ConcurrencyLimit {
    calls: Arc<Semaphore>,
    joins: Arc<Semaphore>,
    chats: Arc<Semaphore>,
    disconnects: Arc<Semaphore>,
}

/// The permits of one call; dropping them gives them back.
#[derive(Debug, Default)]
pub(super) struct CallPermit {
    _call: Option<OwnedSemaphorePermit>,
    _lane: Option<OwnedSemaphorePermit>,
}

impl ConcurrencyLimit {
    /// Allows `max_calls` at the same time, [`EXEMPT_CALLS`] included, and among them `max_joins` joins and a quarter of
    /// the chat. Joins and chat together leave a call for others, if there are [`RESERVED_CALLS`] beside the joins.
    pub(super) fn new(max_calls: usize, max_joins: usize) -> Self {
        let permits = |count| Arc::new(Semaphore::new(count));
        let beside_joins = max_calls.saturating_sub(max_joins + RESERVED_CALLS - 1);
        Self {
            calls: permits(max_calls.saturating_sub(EXEMPT_CALLS)),
            joins: permits(max_joins),
            chats: permits((max_calls / 4).min(beside_joins).max(1)),
            disconnects: permits(1),
        }
    }

    /// Waits for permits, first come first served.
    pub(super) async fn acquire(&self, lane: Lane) -> CallPermit {
        match lane {
            Lane::Exempt => CallPermit::default(),
            Lane::Disconnect => {
                let call = tokio::select! {
                    biased;
                    reserved = acquire(&self.disconnects) => reserved,
                    call = acquire(&self.calls) => call,
                };
                CallPermit { _call: call, _lane: None }
            }
            Lane::Shared => CallPermit { _call: acquire(&self.calls).await, _lane: None },
            Lane::Join => self.acquire_after(&self.joins).await,
            Lane::Chat => self.acquire_after(&self.chats).await,
        }
    }

    /// Waits for a permit of a lane, and then for a call permit.
    async fn acquire_after(&self, lane: &Arc<Semaphore>) -> CallPermit {
        let lane = acquire(lane).await;
        CallPermit { _call: acquire(&self.calls).await, _lane: lane }
    }
}

/// Waits for a permit. None if the semaphore is closed, which never happens.
async fn acquire(permits: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    Arc::clone(permits).acquire_owned().await.ok()
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn limit() -> ConcurrencyLimit {
        ConcurrencyLimit::new(2 + EXEMPT_CALLS, 1)
    }

    #[tokio::test]
    async fn calls_wait_for_permits_first_come_first_served() {
        let limit = limit();
        let permits = (limit.acquire(Lane::Shared).await, limit.acquire(Lane::Shared).await);
        let (mut first, mut second) =
            (Box::pin(limit.acquire(Lane::Shared)), Box::pin(limit.acquire(Lane::Shared)));
        assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        drop(permits.0);
        assert!(second.as_mut().now_or_never().is_none(), "the first call is served first");
        drop(first.await);
        second.await;
    }

    #[tokio::test]
    async fn heartbeats_and_one_call_with_disconnects_do_not_wait() {
        let limit = limit();
        let permits = (limit.acquire(Lane::Shared).await, limit.acquire(Lane::Shared).await);
        assert!(limit.acquire(Lane::Exempt).now_or_never().is_some());
        let reserved = limit.acquire(Lane::Disconnect).now_or_never().unwrap();
        let mut next = Box::pin(limit.acquire(Lane::Disconnect));
        assert!(next.as_mut().now_or_never().is_none());
        drop(reserved);
        let reserved = next.await;
        let mut next = Box::pin(limit.acquire(Lane::Disconnect));
        assert!(next.as_mut().now_or_never().is_none());
        drop(permits);
        next.await;
        drop(reserved);
    }

    #[tokio::test]
    async fn messages_leave_room_for_other_calls() {
        let limit = ConcurrencyLimit::new(8, 1);
        let messages = (limit.acquire(Lane::Chat).await, limit.acquire(Lane::Chat).await);
        let mut next = Box::pin(limit.acquire(Lane::Chat));
        assert!(next.as_mut().now_or_never().is_none());
        let others: Vec<_> = (0..4).map(|_| limit.acquire(Lane::Shared).now_or_never().unwrap()).collect();
        drop((messages, others));
        next.await;
    }

    #[tokio::test]
    async fn joins_and_messages_together_leave_room_for_other_calls() {
        for (max_calls, max_joins) in [(5, 1), (16, 9), (40, 40 - RESERVED_CALLS)] {
            let limit = ConcurrencyLimit::new(max_calls, max_joins);
            let mut taken = Vec::new();
            for lane in [Lane::Join, Lane::Chat] {
                taken.extend(std::iter::from_fn(|| limit.acquire(lane).now_or_never()));
            }
            assert!(limit.acquire(Lane::Shared).now_or_never().is_some(), "{max_calls} {max_joins}");
        }
    }

    #[tokio::test]
    async fn joins_leave_room_for_other_calls_and_waiting_joins_take_none() {
        let limit = limit();
        let join = limit.acquire(Lane::Join).await;
        let mut next = Box::pin(limit.acquire(Lane::Join));
        assert!(next.as_mut().now_or_never().is_none());
        assert!(limit.acquire(Lane::Shared).now_or_never().is_some());
        drop(join);
        next.await;
    }
}

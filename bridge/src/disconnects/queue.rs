//! The disconnects that the app does not know of yet.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rollcall_protocol::{
    EventId,
    batch::MAX_BATCH_EVENTS,
    event::{Disconnect, Membership},
    id::InvalidId,
};
use tokio::sync::{Notify, watch};

use crate::{
    app::{self, BatchItem},
    telemetry::{
        metrics::{self, PendingDisconnect},
        trace::TraceParent,
    },
};

/// While this many disconnects are pending, the bridge admits no joins, because it would have to report their
/// disconnects as well. Sockets that are in a room already may still add theirs.
const MAX_PENDING: usize = 10_000;

/// One disconnect that the app does not know of yet.
pub(super) struct Pending {
    pub(super) item: BatchItem<Disconnect>,
    is_canceled: Arc<AtomicBool>,
    /// Whether the disconnect goes in a call of its own, because the app refused a call that it shared with others.
    goes_alone: bool,
    _metric: PendingDisconnect,
}

impl Pending {
    /// Sends the disconnect in a call of its own from now on.
    pub(super) fn into_alone(self) -> Self {
        Self { goes_alone: true, ..self }
    }
}

/// Cancels a pending disconnect. Dropping the handle cancels nothing.
pub(crate) struct CancelHandle(Arc<AtomicBool>);

impl CancelHandle {
    /// Cancels the disconnect: the app learned of it in another way.
    pub(crate) fn cancel(self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The disconnects that the app does not know of yet.
pub(crate) struct Disconnects {
    queue: Mutex<VecDeque<Pending>>,
    /// Number of pending disconnects, including those of the call that is under way.
    pending: watch::Sender<usize>,
    added: Notify,
}

impl Default for Disconnects {
    fn default() -> Self {
        Self { queue: Mutex::default(), pending: watch::Sender::new(0), added: Notify::new() }
    }
}

impl Disconnects {
    /// Queues a report that the connection behind a membership is lost.
    pub(crate) fn send(&self, membership: Membership) -> Result<CancelHandle, InvalidId> {
        let is_canceled = Arc::new(AtomicBool::new(false));
        let item = BatchItem {
            id: EventId::new(app::new_event_id())?,
            event: Disconnect(membership),
            trace: TraceParent::current(),
        };
        let pending = Pending {
            item,
            is_canceled: Arc::clone(&is_canceled),
            goes_alone: false,
            _metric: metrics::track_pending_disconnect(),
        };
        self.pending.send_modify(|count| *count += 1);
        self.queue().push_back(pending);
        self.added.notify_one();
        Ok(CancelHandle(is_canceled))
    }

    /// Whether so many disconnects are pending that the bridge should admit no joins.
    pub(crate) fn is_full(&self) -> bool {
        self.pending_count() >= MAX_PENDING
    }

    /// Number of pending disconnects.
    pub(crate) fn pending_count(&self) -> usize {
        *self.pending.borrow()
    }

    /// Waits until no disconnect is pending.
    pub(crate) async fn wait_until_sent(&self) {
        // The sender lives as long as `self`.
        let _ = self.pending.subscribe().wait_for(|&count| count == 0).await;
    }

    /// Waits for disconnects, and takes as many as fit into one call.
    pub(super) async fn next(&self) -> Vec<Pending> {
        loop {
            let taken = self.take();
            if !taken.is_empty() {
                return taken;
            }
            self.added.notified().await;
        }
    }

    fn take(&self) -> Vec<Pending> {
        let mut queue = self.queue();
        let mut taken: Vec<Pending> = Vec::new();
        while taken.len() < MAX_BATCH_EVENTS
            && let Some(pending) = queue.pop_front()
        {
            if pending.is_canceled.load(Ordering::Relaxed) {
                self.mark_done(1);
            } else if pending.goes_alone && !taken.is_empty() {
                queue.push_front(pending);
                break;
            } else {
                let goes_alone = pending.goes_alone;
                taken.push(pending);
                if goes_alone {
                    break;
                }
            }
        }
        taken
    }

    /// Puts disconnects that were not sent behind the others.
    pub(super) fn put_back(&self, pending: impl IntoIterator<Item = Pending>) {
        self.queue().extend(pending);
    }

    /// Records that the app knows of `count` disconnects more.
    pub(super) fn mark_done(&self, count: usize) {
        self.pending.send_modify(|pending| *pending -= count);
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Pending>> {
        // Nothing panics while it holds the lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn membership(user: usize) -> Membership {
        Membership {
            room_id: "r".parse().unwrap(),
            user_id: format!("user-{user}").parse().unwrap(),
            entry_id: "entry".parse().unwrap(),
        }
    }

    fn with(count: usize) -> (Disconnects, Vec<CancelHandle>) {
        let disconnects = Disconnects::default();
        let handles = (0..count).map(|user| disconnects.send(membership(user)).unwrap()).collect();
        (disconnects, handles)
    }

    #[test]
    fn a_call_takes_the_oldest_disconnects_up_to_its_limit() {
        let (disconnects, _handles) = with(MAX_BATCH_EVENTS + 1);
        let first = disconnects.take();
        assert_eq!(first.len(), MAX_BATCH_EVENTS);
        assert_eq!(first[0].item.event, Disconnect(membership(0)));
        assert_eq!(disconnects.take().len(), 1);
        assert!(disconnects.take().is_empty());
        assert_eq!(
            disconnects.pending_count(),
            MAX_BATCH_EVENTS + 1,
            "they are pending until the app answers"
        );
    }

    #[test]
    fn a_canceled_disconnect_is_not_sent() {
        let (disconnects, mut handles) = with(2);
        handles.remove(0).cancel();
        let taken = disconnects.take();
        assert_eq!((taken.len(), disconnects.pending_count()), (1, 1));
    }

    #[test]
    fn disconnects_of_a_refused_call_go_alone() {
        let (disconnects, _handles) = with(3);
        let taken = disconnects.take().into_iter().map(Pending::into_alone);
        disconnects.put_back(taken);
        disconnects.send(membership(3)).unwrap();
        assert_eq!([(); 4].map(|()| disconnects.take().len()), [1, 1, 1, 1]);
    }

    #[tokio::test]
    async fn waiting_ends_when_nothing_is_pending() {
        let (disconnects, _handles) = with(1);
        let taken = disconnects.next().await;
        assert!(futures_util::FutureExt::now_or_never(disconnects.wait_until_sent()).is_none());
        disconnects.mark_done(taken.len());
        disconnects.wait_until_sent().await;
    }
}

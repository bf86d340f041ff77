//! Reports lost connections to the app, however long that takes: as long as this bridge lives, its lease keeps their
//! members present.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rollcall_protocol::{
    RoomId, UserId,
    event::{Disconnect, Membership},
};
use tokio::{sync::Notify, task::AbortHandle, time::timeout};
use tokio_util::task::TaskTracker;

use crate::{
    app::{self, App, AppError},
    telemetry::{metrics, trace::TraceParent},
};

/// While this many disconnects are pending, the bridge admits no joins, because it would have to report their
/// disconnects as well. Sockets that are in a room already may still add theirs.
const MAX_PENDING: usize = 10_000;

/// How long a join waits for the disconnect of the same user in the same room. Only an app that is away takes as long,
/// and the join fails then in any case.
const OVERTAKING_LIMIT: Duration = Duration::from_secs(1);

/// The disconnects that the app does not know of yet.
pub(crate) struct Disconnects {
    app: Arc<App>,
    /// One task for each of them.
    pending: TaskTracker,
    lost: Arc<Lost>,
}

/// A user in a room.
type Member = (RoomId, UserId);

/// The members whose disconnects are pending.
#[derive(Default)]
struct Lost(Mutex<HashMap<Member, PendingOfMember>>);

/// How many disconnects of a member are pending, and whom to notify when none is.
#[derive(Default)]
struct PendingOfMember {
    count: usize,
    none_left: Arc<Notify>,
}

/// Counts one pending disconnect until dropped.
struct Pending {
    lost: Arc<Lost>,
    member: Member,
}

impl Lost {
    fn count(self: &Arc<Self>, member: Member) -> Pending {
        let mut lost = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lost.entry(member.clone()).or_default().count += 1;
        Pending { lost: Arc::clone(self), member }
    }

    /// Waits until no disconnect of a user in a room is pending.
    async fn wait_until_none(&self, member: &Member) {
        let pending = {
            let lost = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Created under the lock, so that the future misses no notification.
            lost.get(member).map(|pending| Arc::clone(&pending.none_left).notified_owned())
        };
        if let Some(none_left) = pending {
            none_left.await;
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let mut lost = self.lost.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(pending) = lost.get_mut(&self.member) else { return };
        pending.count -= 1;
        if pending.count == 0 {
            pending.none_left.notify_waiters();
            lost.remove(&self.member);
        }
    }
}

/// Cancels a pending disconnect. Dropping the handle cancels nothing.
pub(crate) struct CancelHandle(AbortHandle);

impl CancelHandle {
    /// Cancels the disconnect: the app learned of it in another way.
    pub(crate) fn cancel(self) {
        self.0.abort();
    }
}

impl Disconnects {
    /// Nothing is pending.
    pub(crate) fn new(app: Arc<App>) -> Self {
        Self { app, pending: TaskTracker::new(), lost: Arc::default() }
    }

    /// Reports in the background that the connection behind a membership is lost.
    pub(crate) fn send(&self, membership: Membership) -> CancelHandle {
        let (app, trace) = (Arc::clone(&self.app), TraceParent::current());
        let metric = metrics::track_pending_disconnect();
        let pending = self.lost.count((membership.room_id.clone(), membership.user_id.clone()));
        let report = async move {
            let event_id = app::new_event_id();
            let outcome = trace.enter(app.report(&Disconnect(membership), &event_id)).await;
            let code = match outcome {
                Err(AppError::Refused { refusal, .. }) => Some(refusal.code.as_str()),
                _ => None,
            };
            tracing::debug!(request_id = event_id, code, "disconnect.delivered");
            drop((metric, pending));
        };
        CancelHandle(self.pending.spawn(report).abort_handle())
    }

    /// Waits for the disconnects of a user in a room, for a limited time: a client that comes back at once must not be
    /// refused because of its own former connection.
    pub(crate) async fn wait_for(&self, room: &RoomId, user: &UserId) {
        let _ = timeout(OVERTAKING_LIMIT, self.lost.wait_until_none(&(room.clone(), user.clone()))).await;
    }

    /// Whether so many disconnects are pending that the bridge should admit no joins.
    pub(crate) fn is_full(&self) -> bool {
        self.pending_count() >= MAX_PENDING
    }

    /// Number of pending disconnects.
    pub(crate) fn pending_count(&self) -> usize {
        self.pending.len()
    }

    /// Waits until no disconnect is pending.
    pub(crate) async fn wait_until_sent(&self) {
        self.pending.close();
        self.pending.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn member(room: &str, user: &str) -> Member {
        (room.parse().unwrap(), user.parse().unwrap())
    }

    #[test]
    fn a_user_waits_for_all_of_the_own_disconnects_in_the_room_and_no_others() {
        let lost = Arc::new(Lost::default());
        let [kim, kim_elsewhere, lea] = [member("a", "kim"), member("b", "kim"), member("a", "lea")];
        assert_eq!(lost.wait_until_none(&kim).now_or_never(), Some(()));
        let (first, second) = (lost.count(kim.clone()), lost.count(kim.clone()));
        let mut waiting = Box::pin(lost.wait_until_none(&kim));
        assert_eq!(waiting.as_mut().now_or_never(), None);
        assert_eq!(lost.wait_until_none(&kim_elsewhere).now_or_never(), Some(()));
        assert_eq!(lost.wait_until_none(&lea).now_or_never(), Some(()));
        drop(first);
        assert_eq!(waiting.as_mut().now_or_never(), None);
        drop(second);
        assert_eq!(waiting.now_or_never(), Some(()));
        assert!(lost.0.lock().unwrap().is_empty());
    }
}

//! Limits how fast a client may send: over one socket, and over all of a user's sockets on this bridge together.

use std::{num::NonZeroU32, sync::Arc};

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use rollcall_protocol::UserId;
use tokio::sync::Notify;

use crate::limits::idle::evict_idle;

/// The rate limits of all sockets of this bridge.
pub(crate) struct RateLimits {
    per_socket: Quota,
    users: DefaultKeyedRateLimiter<UserId>,
}

impl RateLimits {
    /// Allows so many events a second per socket and per user.
    pub(crate) fn new(per_socket: NonZeroU32, per_user: NonZeroU32) -> Self {
        Self { per_socket: quota(per_socket), users: RateLimiter::keyed(quota(per_user)) }
    }

    /// The rate limit of one more socket of a user.
    pub(super) fn for_socket(self: &Arc<Self>, user: UserId) -> Arc<SocketRateLimit> {
        Arc::new(SocketRateLimit {
            events: RateLimiter::direct(self.per_socket),
            refusals: RateLimiter::direct(self.per_socket),
            user,
            all: Arc::clone(self),
            has_exceeded: Notify::new(),
        })
    }

    /// Evicts users who have sent nothing for a while, until the future is dropped.
    pub(crate) async fn evict_idle(self: Arc<Self>) {
        evict_idle(&self.users).await;
    }
}

/// Allows so many events in a second, and twice as many at once after a pause, because a client that comes back
/// catches up.
fn quota(per_second: NonZeroU32) -> Quota {
    Quota::per_second(per_second).allow_burst(per_second.saturating_mul(NonZeroU32::MIN.saturating_add(1)))
}

/// The rate limit of one socket.
pub(crate) struct SocketRateLimit {
    events: DefaultDirectRateLimiter,
    refusals: DefaultDirectRateLimiter,
    user: UserId,
    all: Arc<RateLimits>,
    has_exceeded: Notify,
}

/// What to do with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Handle the event.
    Handle,
    /// Refuse the event.
    Refuse,
    /// Do not even answer the event: the client keeps sending although its events are refused.
    Ignore,
}

impl SocketRateLimit {
    /// Counts an event and decides what to do with it.
    pub(super) fn check(&self) -> Decision {
        if self.events.check().is_ok() && self.all.users.check_key(&self.user).is_ok() {
            return Decision::Handle;
        }
        if self.refusals.check().is_ok() {
            return Decision::Refuse;
        }
        self.has_exceeded.notify_one();
        Decision::Ignore
    }

    /// Waits until an event has been ignored.
    pub(super) async fn exceeded(&self) {
        self.has_exceeded.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate_limits(per_socket: u32, per_user: u32) -> Arc<RateLimits> {
        let rate = |rate| NonZeroU32::new(rate).unwrap();
        Arc::new(RateLimits::new(rate(per_socket), rate(per_user)))
    }

    fn user(id: &str) -> UserId {
        id.parse().unwrap()
    }

    #[tokio::test]
    async fn events_above_the_limit_are_refused_and_then_ignored() {
        let socket = rate_limits(1, 100).for_socket(user("kim"));
        assert_eq!([socket.check(), socket.check()], [Decision::Handle; 2]);
        assert_eq!([socket.check(), socket.check()], [Decision::Refuse; 2]);
        assert_eq!(socket.check(), Decision::Ignore);
        socket.exceeded().await;
    }

    #[test]
    fn sockets_of_one_user_count_together_and_those_of_other_users_do_not() {
        let limits = rate_limits(100, 1);
        let (first, second) = (limits.for_socket(user("kim")), limits.for_socket(user("kim")));
        assert_eq!([first.check(), second.check()], [Decision::Handle; 2]);
        assert_eq!([first.check(), second.check()], [Decision::Refuse; 2]);
        assert_eq!(limits.for_socket(user("lee")).check(), Decision::Handle);
    }
}

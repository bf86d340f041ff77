//! How fast a client may send, over one socket and over all of a user's sockets on this bridge together.

use std::{num::NonZeroU32, sync::Arc};

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use rollcall_protocol::UserId;
use tokio::sync::Notify;

use crate::quiet;

/// How many events a second are taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rates {
    pub(crate) per_socket: NonZeroU32,
    pub(crate) per_user: NonZeroU32,
}

/// What all paces of this bridge share.
pub(crate) struct Paces {
    per_socket: Quota,
    users: DefaultKeyedRateLimiter<UserId>,
}

impl Paces {
    pub(crate) fn new(rates: Rates) -> Self {
        Self { per_socket: quota(rates.per_socket), users: RateLimiter::keyed(quota(rates.per_user)) }
    }

    /// The pace of one more socket of a user's.
    pub(super) fn of(self: &Arc<Self>, user: UserId) -> Arc<Pace> {
        Arc::new(Pace {
            events: RateLimiter::direct(self.per_socket),
            refusals: RateLimiter::direct(self.per_socket),
            user,
            all: Arc::clone(self),
            is_flooding: Notify::new(),
        })
    }

    /// Forgets users who have been quiet, until the process ends.
    pub(crate) async fn forget_the_quiet(self: Arc<Self>) {
        quiet::forget(&self.users).await;
    }
}

/// So many in a second, and twice as many at once after a pause: a client that comes back catches up.
fn quota(per_second: NonZeroU32) -> Quota {
    Quota::per_second(per_second).allow_burst(per_second.saturating_mul(NonZeroU32::MIN.saturating_add(1)))
}

/// How fast one client sends.
pub(crate) struct Pace {
    events: DefaultDirectRateLimiter,
    refusals: DefaultDirectRateLimiter,
    user: UserId,
    all: Arc<Paces>,
    is_flooding: Notify,
}

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is handled.
    Handle,
    /// It is refused.
    Refuse,
    /// It is not even answered: the client goes on although it has been refused time and again.
    Ignore,
}

impl Pace {
    /// Counts an event.
    pub(super) fn judge(&self) -> Verdict {
        if self.events.check().is_ok() && self.all.users.check_key(&self.user).is_ok() {
            return Verdict::Handle;
        }
        if self.refusals.check().is_ok() {
            return Verdict::Refuse;
        }
        self.is_flooding.notify_one();
        Verdict::Ignore
    }

    /// Waits until an event has been ignored.
    pub(super) async fn flood(&self) {
        self.is_flooding.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paces(per_socket: u32, per_user: u32) -> Arc<Paces> {
        let rate = |rate| NonZeroU32::new(rate).unwrap();
        Arc::new(Paces::new(Rates { per_socket: rate(per_socket), per_user: rate(per_user) }))
    }

    fn user(id: &str) -> UserId {
        id.parse().unwrap()
    }

    #[tokio::test]
    async fn who_sends_too_fast_is_refused_and_who_goes_on_is_not_answered_any_more() {
        let pace = paces(1, 100).of(user("kim"));
        assert_eq!([pace.judge(), pace.judge()], [Verdict::Handle; 2]);
        assert_eq!([pace.judge(), pace.judge()], [Verdict::Refuse; 2]);
        assert_eq!(pace.judge(), Verdict::Ignore);
        pace.flood().await;
    }

    #[test]
    fn a_users_sockets_count_together_and_other_users_do_not() {
        let paces = paces(100, 1);
        let (first, second) = (paces.of(user("kim")), paces.of(user("kim")));
        assert_eq!([first.judge(), second.judge()], [Verdict::Handle; 2]);
        assert_eq!([first.judge(), second.judge()], [Verdict::Refuse; 2]);
        assert_eq!(paces.of(user("lee")).judge(), Verdict::Handle);
    }
}

//! Limits how often clients may make the bridge ask the app for counts: one request costs up to a script for each shard.

use std::{num::NonZeroU32, sync::Arc};

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use rollcall_protocol::{ErrorCode, Refusal, UserId};

use crate::limits::idle::evict_idle;

/// One in two seconds. Who looks through a list turns a few pages at once.
const PER_MINUTE_AND_SOCKET: NonZeroU32 = NonZeroU32::new(30).unwrap();
const AT_ONCE_PER_SOCKET: NonZeroU32 = NonZeroU32::new(10).unwrap();

const PER_SECOND_AND_USER: NonZeroU32 = NonZeroU32::MIN;
const AT_ONCE_PER_USER: NonZeroU32 = NonZeroU32::new(20).unwrap();

/// The rate limits of all users.
pub(super) struct RateLimits {
    users: DefaultKeyedRateLimiter<UserId>,
}

impl Default for RateLimits {
    fn default() -> Self {
        let quota = Quota::per_second(PER_SECOND_AND_USER).allow_burst(AT_ONCE_PER_USER);
        Self { users: RateLimiter::keyed(quota) }
    }
}

impl RateLimits {
    /// The rate limit of one more socket of a user.
    pub(super) fn for_socket(self: &Arc<Self>, user: UserId) -> SocketRateLimit {
        let quota = Quota::per_minute(PER_MINUTE_AND_SOCKET).allow_burst(AT_ONCE_PER_SOCKET);
        SocketRateLimit { requests: RateLimiter::direct(quota), user, all: Arc::clone(self) }
    }

    /// Evicts users who have watched nothing new for a while, until the future is dropped.
    pub(super) async fn evict_idle(&self) {
        evict_idle(&self.users).await;
    }
}

/// The rate limit of one socket.
pub(super) struct SocketRateLimit {
    requests: DefaultDirectRateLimiter,
    user: UserId,
    all: Arc<RateLimits>,
}

impl SocketRateLimit {
    /// Counts a request, or refuses it.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        let is_admitted = self.requests.check().is_ok() && self.all.users.check_key(&self.user).is_ok();
        is_admitted.then_some(()).ok_or_else(|| ErrorCode::RateLimited.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many requests a socket may make at once.
    fn burst(socket: &SocketRateLimit) -> usize {
        (0..100).take_while(|_| socket.check().is_ok()).count()
    }

    #[test]
    fn a_socket_may_ask_a_few_times_at_once() {
        let limits = Arc::new(RateLimits::default());
        assert_eq!(burst(&limits.for_socket("kim".parse().unwrap())), 10);
    }

    #[test]
    fn the_sockets_of_a_user_count_together_and_those_of_others_do_not() {
        let limits = Arc::new(RateLimits::default());
        let bursts: usize = (0..4).map(|_| burst(&limits.for_socket("kim".parse().unwrap()))).sum();
        assert_eq!(bursts, 20);
        assert_eq!(burst(&limits.for_socket("lee".parse().unwrap())), 10);
    }
}

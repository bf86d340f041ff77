//! Limits what a client may send without need: pongs that nobody waits for, pings, and packets that mean nothing. Sessions
//! limit messages only, so these would count nowhere.

use std::num::NonZeroU32;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// Libraries that keep connections alive by themselves ping every few seconds.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(5).unwrap();

/// What a client may send at once after a pause.
const AT_ONCE: NonZeroU32 = NonZeroU32::new(100).unwrap();

/// The client sends too much without need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flood;

/// The limit of one client.
#[derive(Debug)]
pub struct FloodLimit(DefaultDirectRateLimiter);

impl Default for FloodLimit {
    fn default() -> Self {
        Self(RateLimiter::direct(Quota::per_second(PER_SECOND).allow_burst(AT_ONCE)))
    }
}

impl FloodLimit {
    /// Counts a packet or frame that the client need not have sent.
    ///
    /// # Errors
    ///
    /// [`Flood`] if there are too many.
    pub fn check(&self) -> Result<(), Flood> {
        self.0.check().map_err(|_| Flood)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_may_send_some_and_no_flood() {
        let limit = FloodLimit::default();
        assert!((0..AT_ONCE.get()).all(|_| limit.check().is_ok()));
        // A busy machine may let the quota grow a little meanwhile.
        assert!((0..AT_ONCE.get()).any(|_| limit.check().is_err()));
    }
}

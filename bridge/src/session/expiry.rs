//! When a session's token expires.

use std::time::Duration;

use rollcall_protocol::client::Expiring;
use tokio::time::{Instant, sleep_until};

use crate::clock;

/// How long before the token expires the client is warned.
const WARNING_LEAD: Duration = Duration::from_secs(60);

/// Tokens that live longer count as living this long. Longer than any token should live, and short enough for
/// arithmetic with instants.
const MAX_LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// When a session's token expires, and when its client is warned.
pub(super) struct Expiry {
    at_s: u64,
    end: Instant,
    warning: Option<Instant>,
}

/// What is due now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// The warning of the client.
    Warning,
    /// The end: the token has expired.
    End,
}

impl Expiry {
    /// For a token that expires at a time in seconds since 1970.
    pub(super) fn at(at_s: u64) -> Self {
        let now = Instant::now();
        let left = clock::until(at_s).min(MAX_LIFETIME);
        Self { at_s, end: now + left, warning: Some(now + left.saturating_sub(WARNING_LEAD)) }
    }

    /// Waits until something is due. The warning is due once; for a token of less than a minute, at once.
    pub(super) async fn due(&mut self) -> Due {
        if let Some(at) = self.warning {
            sleep_until(at).await;
            self.warning = None;
            return Due::Warning;
        }
        self.end().await;
        Due::End
    }

    /// Waits until the token expires.
    pub(super) async fn end(&self) {
        sleep_until(self.end).await;
    }

    /// The warning for the client.
    pub(super) fn warning(&self) -> Expiring {
        let left = self.end.saturating_duration_since(Instant::now());
        Expiring { expires_at: self.at_ms(), remain_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX) }
    }

    /// When the token expires, in milliseconds since 1970.
    pub(super) fn at_ms(&self) -> u64 {
        self.at_s.saturating_mul(1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_s(seconds: i64) -> Expiry {
        Expiry::at(u64::try_from(clock::now_s() + seconds).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_warned_once_and_a_minute_before_the_end() {
        let began = Instant::now();
        let mut expiry = in_s(3600);
        assert_eq!(expiry.due().await, Due::Warning);
        // The time of day goes on by itself, in seconds.
        assert!((3538..=3540).contains(&began.elapsed().as_secs()));
        assert!((58_000..=60_000).contains(&expiry.warning().remain_ms));
        assert_eq!(expiry.due().await, Due::End);
        assert!((3598..=3600).contains(&began.elapsed().as_secs()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_of_less_than_a_minute_is_warned_of_at_once() {
        let began = Instant::now();
        let mut expiry = in_s(30);
        assert_eq!(expiry.due().await, Due::Warning);
        assert!(began.elapsed() < Duration::from_secs(1));
        assert_eq!(expiry.due().await, Due::End);
    }

    #[test]
    fn the_end_of_time_is_no_trouble() {
        assert_eq!(Expiry::at(u64::MAX).at_ms(), u64::MAX);
    }
}

//! How long somebody who vanished can seem to be in a room, at the most.

use std::time::Duration;

/// What the bound is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    /// How often a client is asked whether it is there.
    pub(crate) ping_interval: Duration,
    /// How long it may take to answer.
    pub(crate) ping_timeout: Duration,
    /// How long a bridge's connections count as live after it was last heard of.
    pub(crate) lease: Duration,
    /// How long a lost connection may come back.
    pub(crate) grace: Duration,
}

/// Variables of the environment, and what counts without them, in milliseconds.
pub(crate) const PING_INTERVAL: (&str, u64) = ("ROLLCALL_PING_INTERVAL_MS", 25_000);
pub(crate) const PING_TIMEOUT: (&str, u64) = ("ROLLCALL_PING_TIMEOUT_MS", 20_000);
/// The app's own, as in `spin.toml`.
const LEASE: (&str, u64) = ("SPIN_VARIABLE_LEASE_MS", 15_000);
const GRACE: (&str, u64) = ("SPIN_VARIABLE_GRACE_MS", 30_000);

/// How often what is due is looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

impl Bound {
    /// How long it takes to notice that a client, or the bridge that holds it, is gone.
    fn detection(&self) -> Duration {
        (self.ping_interval + self.ping_timeout).max(self.lease)
    }

    /// How long it takes until the member is gone.
    pub(crate) fn total(&self) -> Duration {
        self.detection() + self.grace + SWEEP_INTERVAL
    }

    /// From the environment, where it says something, and else the defaults of the flags and of the app.
    pub(crate) fn from_env() -> Self {
        let read = |(name, default_ms)| {
            let value = std::env::var(name).ok().and_then(|value| value.parse().ok());
            Duration::from_millis(value.unwrap_or(default_ms))
        };
        Self {
            ping_interval: read(PING_INTERVAL),
            ping_timeout: read(PING_TIMEOUT),
            lease: read(LEASE),
            grace: read(GRACE),
        }
    }

    /// For `--help`.
    pub(crate) fn explain(&self) -> String {
        format!(
            "A member who vanished is gone after at most\n  detection {} ms (the greater of ping interval {} + ping \
             timeout {}, and the app's lease_ms {})\n  + grace_ms {}\n  + sweep {}\n  = {} ms, as the environment \
             is now",
            self.detection().as_millis(),
            self.ping_interval.as_millis(),
            self.ping_timeout.as_millis(),
            self.lease.as_millis(),
            self.grace.as_millis(),
            SWEEP_INTERVAL.as_millis(),
            self.total().as_millis(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(ping_interval: u64, ping_timeout: u64, lease: u64, grace: u64) -> Bound {
        let [ping_interval, ping_timeout, lease, grace] =
            [ping_interval, ping_timeout, lease, grace].map(Duration::from_secs);
        Bound { ping_interval, ping_timeout, lease, grace }
    }

    #[test]
    fn the_slower_way_of_noticing_counts() {
        assert_eq!(bound(25, 20, 15, 30).total(), Duration::from_secs(76));
        assert_eq!(bound(2, 3, 15, 30).total(), Duration::from_secs(46));
    }

    #[test]
    fn the_documentation_says_the_same() {
        let page =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md")).unwrap();
        let total = bound(25, 20, 15, 30).total().as_secs();
        assert!(page.contains(&format!("45 + 30 + 1 = {total} seconds")));
    }
}

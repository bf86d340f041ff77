//! The longest time for which a member who vanished can appear to be in a room.

use std::time::Duration;

use crate::transport::{PING_INTERVAL, PING_TIMEOUT};

/// The times that make up the detection time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DetectionTime {
    /// Time between two pings of a client.
    ping_interval: Duration,
    /// Time limit for the answer to a ping.
    ping_timeout: Duration,
    /// How long a bridge's connections count as live after the app last heard from the bridge.
    lease: Duration,
    /// How long the client of a lost connection may take to come back.
    grace: Duration,
}

/// Environment variables of the app and their defaults in milliseconds, as in `spin.toml`.
const LEASE: (&str, u64) = ("SPIN_VARIABLE_LEASE_MS", 15_000);
const GRACE: (&str, u64) = ("SPIN_VARIABLE_GRACE_MS", 30_000);

/// Time between two sweeps, which settle what is due.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

impl DetectionTime {
    /// Reads the times from the environment; the defaults are those of the flags and of the app.
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

    /// How long it takes until a client, or the bridge that holds its socket, counts as lost.
    fn until_lost(&self) -> Duration {
        (self.ping_interval + self.ping_timeout).max(self.lease)
    }

    /// How long it takes until the member is removed from the room.
    fn until_removed(&self) -> Duration {
        self.until_lost() + self.grace + SWEEP_INTERVAL
    }

    /// Explains the detection time in `--help`.
    pub(crate) fn explain(&self) -> String {
        format!(
            "A member who vanished is removed after at most\n  detection {} ms (the greater of ping interval {} + \
             ping timeout {}, and the app's lease_ms {})\n  + grace_ms {}\n  + sweep {}\n  = {} ms, with the current \
             environment",
            self.until_lost().as_millis(),
            self.ping_interval.as_millis(),
            self.ping_timeout.as_millis(),
            self.lease.as_millis(),
            self.grace.as_millis(),
            SWEEP_INTERVAL.as_millis(),
            self.until_removed().as_millis(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(ping_interval: u64, ping_timeout: u64, lease: u64, grace: u64) -> DetectionTime {
        let [ping_interval, ping_timeout, lease, grace] =
            [ping_interval, ping_timeout, lease, grace].map(Duration::from_secs);
        DetectionTime { ping_interval, ping_timeout, lease, grace }
    }

    #[test]
    fn the_slower_of_ping_and_lease_counts() {
        assert_eq!(times(25, 20, 15, 30).until_removed(), Duration::from_secs(76));
        assert_eq!(times(2, 3, 15, 30).until_removed(), Duration::from_secs(46));
    }

    #[test]
    fn the_documentation_names_the_same_time() {
        let page =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md")).unwrap();
        let seconds = times(25, 20, 15, 30).until_removed().as_secs();
        assert!(page.contains(&format!("45 + 30 + 1 = {seconds} seconds")));
    }
}

//! The time of day, for signatures and for the expiry of tokens. Rooms go by Redis's clock instead.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds since 1970.
pub(crate) fn now_s() -> i64 {
    since_epoch().as_secs().try_into().unwrap_or(i64::MAX)
}

/// Time left until `time_s`, in seconds since 1970; zero if that time has passed.
pub(crate) fn until(time_s: u64) -> Duration {
    Duration::from_secs(time_s).saturating_sub(since_epoch())
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

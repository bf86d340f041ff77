//! The time of day, for signatures and the expiry of tokens. Rooms go by Redis's clock, not by this one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds since 1970.
pub(crate) fn now_s() -> i64 {
    since_epoch().as_secs().try_into().unwrap_or(i64::MAX)
}

/// How long it is until a time in seconds since 1970; nothing if it has passed.
pub(crate) fn until(time_s: u64) -> Duration {
    Duration::from_secs(time_s).saturating_sub(since_epoch())
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

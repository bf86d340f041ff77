//! Flags for what one client may do, and for how sessions end when the bridge stops.

use std::{num::NonZeroU32, time::Duration};

use clap::Args;

use super::rate_limit::RateLimits;

/// Flags for what one client may do, and for how sessions end.
#[derive(Args)]
pub(crate) struct SessionArgs {
    /// Events per second that one socket may send; twice as many at once after a pause.
    #[arg(long, env = "ROLLCALL_EVENTS_PER_SECOND", default_value = "20", value_name = "COUNT")]
    events_per_second: NonZeroU32,

    /// Events per second that all sockets of one user may send together; twice as many at once after a pause.
    #[arg(long, env = "ROLLCALL_EVENTS_PER_SECOND_PER_USER", default_value = "60", value_name = "COUNT")]
    events_per_second_per_user: NonZeroU32,

    /// Sockets that one user may hold on this bridge.
    #[arg(long, env = "ROLLCALL_MAX_SOCKETS_PER_USER", default_value = "32", value_name = "COUNT")]
    max_sockets_per_user: NonZeroU32,

    /// Time over which a stopping bridge closes its sockets, each at a random time, in milliseconds.
    #[arg(
        long,
        env = "ROLLCALL_DRAIN_MS",
        default_value_t = 5_000,
        value_name = "MS",
        value_parser = clap::value_parser!(u64).range(0..=3_600_000)
    )]
    drain_ms: u64,
}

impl SessionArgs {
    pub(crate) fn rate_limits(&self) -> RateLimits {
        RateLimits::new(self.events_per_second, self.events_per_second_per_user)
    }

    pub(crate) fn max_sockets_per_user(&self) -> usize {
        self.max_sockets_per_user.get().try_into().unwrap_or(usize::MAX)
    }

    pub(crate) fn drain_time(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }
}

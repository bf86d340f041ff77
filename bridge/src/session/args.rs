//! What one client may do, and how clients are sent away when the bridge stops.

use std::{num::NonZeroU32, time::Duration};

use clap::Args;

use crate::session::Rates;

/// Flags for what one client may do.
#[derive(Args)]
pub(crate) struct SessionArgs {
    /// Events that one socket may send per second; twice as many at once after a pause.
    #[arg(long, env = "ROLLCALL_EVENTS_PER_SECOND", default_value = "20", value_name = "COUNT")]
    events_per_second: NonZeroU32,

    /// Events that all sockets of one user may send per second; twice as many at once after a pause.
    #[arg(long, env = "ROLLCALL_EVENTS_PER_SECOND_PER_USER", default_value = "60", value_name = "COUNT")]
    events_per_second_per_user: NonZeroU32,

    /// Sockets that one user may hold on this bridge.
    #[arg(long, env = "ROLLCALL_MAX_SOCKETS_PER_USER", default_value = "32", value_name = "COUNT")]
    max_sockets_per_user: NonZeroU32,

    /// Over how long clients are sent away when the bridge stops, each at a time of its own, in milliseconds.
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
    pub(crate) fn rates(&self) -> Rates {
        Rates { per_socket: self.events_per_second, per_user: self.events_per_second_per_user }
    }

    pub(crate) fn max_sockets_per_user(&self) -> usize {
        self.max_sockets_per_user.get().try_into().unwrap_or(usize::MAX)
    }

    pub(crate) fn drain_spread(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }
}

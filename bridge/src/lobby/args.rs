//! The flag of the lobby.

use std::time::Duration;

use clap::Args;

/// The flag of the lobby.
#[derive(Args)]
pub(crate) struct LobbyArgs {
    /// Time between two looks at how many are in the rooms that clients watch, in milliseconds.
    #[arg(
        long,
        env = "ROLLCALL_LOBBY_INTERVAL_MS",
        default_value_t = 3_000,
        value_name = "MS",
        value_parser = clap::value_parser!(u64).range(100..=600_000)
    )]
    lobby_interval_ms: u64,
}

impl LobbyArgs {
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_millis(self.lobby_interval_ms)
    }
}

//! Flags for the fan-out.

use anyhow::bail;
use clap::Args;

/// Flags for the fan-out.
#[derive(Args)]
pub(crate) struct FanoutArgs {
    /// Redis, to subscribe to the events of rooms. The app in this process keeps its key-value store there too.
    #[arg(
        long = "redis",
        env = "ROLLCALL_REDIS_URL",
        default_value = "redis://127.0.0.1:6379",
        value_name = "URL",
        // The URL may hold a password.
        hide_env_values = true
    )]
    pub(crate) redis_url: String,
}

impl FanoutArgs {
    /// Checks the URL.
    pub(crate) fn redis(&self) -> anyhow::Result<redis::Client> {
        // The error is dropped because it may show the URL and its password.
        let Ok(redis) = redis::Client::open(self.redis_url.as_str()) else {
            bail!("--redis must be a URL like redis://127.0.0.1:6379");
        };
        Ok(redis)
    }
}

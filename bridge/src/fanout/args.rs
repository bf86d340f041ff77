//! Flags for the fan-out.

use anyhow::{Context, bail};
use clap::Args;
use rollcall_protocol::{Keyspace, keyspace::KeyPrefix};

/// Flags for the fan-out.
#[derive(Args)]
pub(crate) struct FanoutArgs {
    /// Redis, to subscribe to the events of rooms, with the number of the database if it is not 0. The app in this process
    /// keeps its key-value store there too.
    #[arg(
        long = "redis",
        env = "ROLLCALL_REDIS_URL",
        default_value = "redis://127.0.0.1:6379",
        value_name = "URL",
        // The URL may hold a password.
        hide_env_values = true
    )]
    pub(crate) redis_url: String,

    /// What the app's keys and channels in Redis begin with: redis_prefix of the app.
    #[arg(long, env = "ROLLCALL_REDIS_PREFIX", default_value_t, value_name = "PREFIX")]
    redis_prefix: KeyPrefix,
}

impl FanoutArgs {
    /// Checks the URL. Returns a client, and where in that Redis the app publishes events.
    pub(crate) fn redis(&self) -> anyhow::Result<(redis::Client, Keyspace)> {
        // The error is dropped because it may show the URL and its password.
        let Ok(redis) = redis::Client::open(self.redis_url.as_str()) else {
            bail!(
                "--redis must be a URL like redis://127.0.0.1:6379 or rediss://user:password@host:6380/3, where 3 is the \
                 database, and user and password are percent-encoded"
            );
        };
        let database = u16::try_from(redis.get_connection_info().redis_settings().db());
        let database = database.context("--redis must name a database from 0 to 65535")?;
        Ok((redis, Keyspace { prefix: self.redis_prefix.clone(), database }))
    }
}

//! The port to Redis.

use crate::{Error, script::Script};

/// A connection to Redis. Components implement the trait with Spin's interface, tests with redis-rs.
///
/// Futures need not be `Send`, because a component has one thread.
#[allow(async_fn_in_trait)]
pub trait Redis {
    /// Runs one command. Returns the elements of the reply as bytes.
    async fn command(&self, name: &str, arguments: &[&[u8]]) -> Result<Vec<Vec<u8>>, RedisError>;
}

/// A command failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisError {
    /// Redis does not know the hash of the script, because Redis was restarted or this call is the first.
    #[error("the script is not loaded")]
    NoScript,
    /// Any other error.
    #[error("{0}")]
    Failed(String),
}

/// Runs a script by its hash, or by its text where Redis does not know the hash yet.
pub(crate) async fn run(
    redis: &impl Redis,
    script: &Script,
    key: &str,
    settings: &str,
    call: &str,
) -> Result<Vec<Vec<u8>>, Error> {
    let mut arguments = [script.sha1(), "1", key, settings, call].map(str::as_bytes);
    let mut reply = redis.command("EVALSHA", &arguments).await;
    if reply == Err(RedisError::NoScript) {
        arguments[0] = script.text().as_bytes();
        reply = redis.command("EVAL", &arguments).await;
    }
    reply.map_err(|error| {
        let error = script.trace_lines(&error.to_string());
        Error::Unavailable(format!("{}: {error}", script.name()))
    })
}

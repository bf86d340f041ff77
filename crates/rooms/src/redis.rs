//! The port to Redis.

use crate::{Failure, script::Script};

/// A connection to Redis. Spin's interface implements it in the components, redis-rs in tests.
///
/// Futures need not be `Send`: a component has one thread.
#[allow(async_fn_in_trait)]
pub trait Redis {
    /// Runs one command. Returns the reply's elements in order, as bytes.
    async fn command(&self, name: &str, arguments: &[&[u8]]) -> Result<Vec<Vec<u8>>, RedisError>;
}

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisError {
    /// Redis does not know the script by its hash: it was restarted, or this is the first call.
    #[error("the script is not loaded")]
    NoScript,
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// Runs a script by its hash, and by its text where Redis does not know it yet.
pub(crate) async fn run(
    redis: &impl Redis,
    script: &Script,
    key: &str,
    settings: &str,
    call: &str,
) -> Result<Vec<Vec<u8>>, Failure> {
    let mut arguments = [script.sha1(), "1", key, settings, call].map(str::as_bytes);
    let mut reply = redis.command("EVALSHA", &arguments).await;
    if reply == Err(RedisError::NoScript) {
        arguments[0] = script.text().as_bytes();
        reply = redis.command("EVAL", &arguments).await;
    }
    reply.map_err(|error| Failure::Unavailable(format!("{}: {error}", script.name())))
}

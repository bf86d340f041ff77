//! The port to Redis.
//!
//! | module | what it does |
//! |---|---|
//! | [`client`] | finds the server that has the keys of a command, and tries again where that is safe |

pub mod client;

use std::rc::Rc;

use crate::{Error, script::Script};

/// A connection to Redis: a [`Client`](client::Client), or a single connection in tests.
///
/// Futures need not be `Send`, because a component has one thread.
#[allow(async_fn_in_trait)]
pub trait Redis {
    /// Runs one command. Returns the elements of the reply as bytes. The command may run twice, when the connection
    /// breaks before the reply.
    async fn command(&self, name: &str, arguments: &[&[u8]]) -> Result<Vec<Vec<u8>>, RedisError>;

    /// Runs one command at most once, because a second run could change more than the first.
    async fn command_once(&self, name: &str, arguments: &[&[u8]]) -> Result<Vec<Vec<u8>>, RedisError> {
        self.command(name, arguments).await
    }
}

impl<R: Redis> Redis for Rc<R> {
    async fn command(&self, name: &str, arguments: &[&[u8]]) -> Result<Vec<Vec<u8>>, RedisError> {
        (**self).command(name, arguments).await
    }

    async fn command_once(&self, name: &str, arguments: &[&[u8]]) -> Result<Vec<Vec<u8>>, RedisError> {
        (**self).command_once(name, arguments).await
    }
}

/// A command failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisError {
    /// Redis does not know the hash of the script, because Redis was restarted or this call is the first.
    #[error("the script is not loaded")]
    NoScript,
    /// Another node of the cluster has the keys. Nothing was run.
    #[error("the keys are at {0}")]
    Moved(String),
    /// The server is a replica, or is still loading its data. Nothing was run, and another server may take its place.
    #[error("{0}")]
    NotPrimary(String),
    /// The keys are on their way to another node, or have no node for now. Nothing was run.
    #[error("{0}")]
    NotYet(String),
    /// Redis, or a proxy before it, replied with another error.
    #[error("{0}")]
    Refused(String),
    /// There is no connection. Nothing was run.
    #[error("{0}")]
    Unreachable(String),
    /// No reply arrived.
    #[error("{0}")]
    Failed(String),
}

impl RedisError {
    /// The error of a reply, from the code and the text of the reply.
    pub fn of_reply(code: &str, text: &str) -> Self {
        let words = || if text.is_empty() { code.to_owned() } else { format!("{code}: {text}") };
        match code {
            "NOSCRIPT" => Self::NoScript,
            // The text is the number of the slot, and the address of the node.
            "MOVED" => match text.split_once(' ') {
                Some((_, address)) => Self::Moved(address.to_owned()),
                None => Self::Refused(words()),
            },
            "READONLY" | "LOADING" | "MASTERDOWN" => Self::NotPrimary(words()),
            // The keys of a script are in two places while they move. A node that is asked for them, as ASK says, would
            // run the script on a part of them.
            "ASK" | "TRYAGAIN" | "CLUSTERDOWN" => Self::NotYet(words()),
            _ => Self::Refused(words()),
        }
    }
}

/// Runs a script by its hash, or by its text where Redis does not know the hash yet.
pub(crate) async fn run(
    redis: &impl Redis,
    script: &Script,
    keys: &[String],
    settings: &str,
    call: &str,
) -> Result<Vec<Vec<u8>>, RedisError> {
    let number = keys.len().to_string();
    let mut arguments = vec![script.sha1(), &number];
    arguments.extend(keys.iter().map(String::as_str).chain([settings, call]));
    let mut arguments: Vec<&[u8]> = arguments.into_iter().map(str::as_bytes).collect();
    let mut reply = evaluate(redis, script, "EVALSHA", &arguments).await;
    if reply == Err(RedisError::NoScript) {
        arguments[0] = script.text().as_bytes();
        reply = evaluate(redis, script, "EVAL", &arguments).await;
    }
    reply
}

async fn evaluate(
    redis: &impl Redis,
    script: &Script,
    command: &str,
    arguments: &[&[u8]],
) -> Result<Vec<Vec<u8>>, RedisError> {
    if script.may_run_twice() {
        redis.command(command, arguments).await
    } else {
        redis.command_once(command, arguments).await
    }
}

/// The error of a use case whose script failed.
pub(crate) fn unavailable(script: &Script, error: &RedisError) -> Error {
    Error::Unavailable(format!("{}: {}", script.name(), script.trace_lines(&error.to_string())))
}

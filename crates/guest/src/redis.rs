//! Spin's Redis interface as the Redis port of `rollcall-rooms`.

use std::{cell::RefCell, rc::Rc};

#[cfg(feature = "http")]
use rollcall_rooms::token::published;
use rollcall_rooms::{
    Error, Rooms,
    redis::{Redis, RedisError},
};
use spin_sdk::redis::{self, Connection, RedisParameter, RedisResult};

use crate::{instance::PerInstance, variables};

thread_local! {
    /// The instance's only connection. The instance keeps the connection, because opening one costs a TCP connection
    /// and a handshake, and calls on one connection pipeline.
    static CONNECTION: RefCell<Option<Rc<Connection>>> = const { RefCell::new(None) };

    static ROOMS: PerInstance<Rooms<SpinRedis>> = const { PerInstance::new() };
}

/// The rooms in the Redis of the component's variables.
pub async fn rooms() -> Result<Rc<Rooms<SpinRedis>>, Error> {
    PerInstance::get(&ROOMS, async || {
        let settings = variables::settings().await?;
        let redis = SpinRedis { url: variables::get("redis_url").await? };
        Rooms::new(redis, &settings)
    })
    .await
}

/// Checks the variables of the rooms, and that Redis lets the app do all its work.
pub async fn check() -> Result<(), Error> {
    rooms().await?.check().await
}

/// What the instances share about published keys, in the same Redis. Each command is within the component's time limit.
#[cfg(feature = "http")]
pub(crate) async fn shared_keys() -> Result<published::Shared<TimeLimited>, Error> {
    let redis = TimeLimited(SpinRedis { url: variables::get("redis_url").await? });
    Ok(published::Shared::new(redis, (*variables::keyspace().await?).clone()))
}

/// Whether the instance has a connection.
#[cfg(feature = "http")]
pub(crate) fn is_connected() -> bool {
    CONNECTION.with_borrow(Option::is_some)
}

/// Drops the connection, which may be broken. The next call opens a new one.
pub(crate) fn forget_connection() {
    CONNECTION.set(None);
}

/// Drops a broken connection, unless another request has replaced it already.
fn forget(broken: &Rc<Connection>) {
    CONNECTION.with_borrow_mut(|kept| {
        if kept.as_ref().is_some_and(|kept| Rc::ptr_eq(kept, broken)) {
            *kept = None;
        }
    });
}

/// Redis, through the instance's connection.
pub struct SpinRedis {
    url: String,
}

impl SpinRedis {
    /// Returns the kept connection, or else a new one.
    async fn connection(&self) -> Result<Rc<Connection>, RedisError> {
        match CONNECTION.with_borrow(Clone::clone) {
            Some(kept) => Ok(kept),
            None => self.open().await,
        }
    }

    async fn open(&self) -> Result<Rc<Connection>, RedisError> {
        let opened = Connection::open(&self.url).await.map_err(|error| match error {
            // The URL holds the password and must not appear in the message.
            redis::Error::InvalidAddress => {
                RedisError::Failed("redis_url is not allowed or cannot be reached".into())
            }
            error => RedisError::Failed(format!("cannot connect: {error}")),
        })?;
        let opened = Rc::new(opened);
        CONNECTION.set(Some(Rc::clone(&opened)));
        Ok(opened)
    }
}

impl Redis for SpinRedis {
    /// The kept connection may have broken since its last use, because Redis has restarted. Then the command runs on a new
    /// connection.
    async fn command(&self, name: &str, arguments: &[&[u8]]) -> Result<Vec<Vec<u8>>, RedisError> {
        let Some(kept) = CONNECTION.with_borrow(Clone::clone) else {
            return execute(&self.open().await?, name, arguments).await;
        };
        match execute(&kept, name, arguments).await {
            Err(RedisError::Failed(_)) => execute(&self.connection().await?, name, arguments).await,
            outcome => outcome,
        }
    }

    /// A command that changes nothing finds out first whether the kept connection has broken.
    async fn command_once(&self, name: &str, arguments: &[&[u8]]) -> Result<Vec<Vec<u8>>, RedisError> {
        // Any reply shows that the connection works, also that of a proxy which does not know the command.
        if CONNECTION.with_borrow(Option::is_some)
            && let Err(error @ RedisError::Failed(_)) = self.command("TIME", &[]).await
        {
            return Err(error);
        }
        execute(&self.connection().await?, name, arguments).await
    }
}

/// Runs a command once. Drops a broken connection, and one to a server that has become a replica.
async fn execute(
    connection: &Rc<Connection>,
    name: &str,
    arguments: &[&[u8]],
) -> Result<Vec<Vec<u8>>, RedisError> {
    let parameters: Vec<_> = arguments.iter().map(|&bytes| RedisParameter::Binary(bytes.to_vec())).collect();
    match connection.execute(name, parameters).await {
        Ok(reply) => Ok(reply.into_iter().map(bytes).collect()),
        Err(redis::Error::Other(text)) if text.contains("NoScriptError") || text.contains("NOSCRIPT") => {
            Err(RedisError::NoScript)
        }
        Err(redis::Error::Other(text)) if is_reply(&text) && !text.contains("READONLY") => {
            Err(RedisError::Refused(text))
        }
        Err(error) => {
            forget(connection);
            Err(RedisError::Failed(error.to_string()))
        }
    }
}

/// Whether an error is a reply, as Spin words it: with the code of the error, or with these words before the code.
fn is_reply(error: &str) -> bool {
    let code = error.split(':').next().unwrap_or_default();
    error.starts_with("An error was signalled by the server")
        || (!code.is_empty() && code.bytes().all(|byte| byte.is_ascii_uppercase()))
}

/// Redis, with a time limit for each command.
#[cfg(feature = "http")]
pub(crate) struct TimeLimited(SpinRedis);

#[cfg(feature = "http")]
impl Redis for TimeLimited {
    async fn command(&self, name: &str, arguments: &[&[u8]]) -> Result<Vec<Vec<u8>>, RedisError> {
        limit(self.0.command(name, arguments)).await
    }

    async fn command_once(&self, name: &str, arguments: &[&[u8]]) -> Result<Vec<Vec<u8>>, RedisError> {
        limit(self.0.command_once(name, arguments)).await
    }
}

#[cfg(feature = "http")]
async fn limit<T>(work: impl Future<Output = Result<T, RedisError>>) -> Result<T, RedisError> {
    let work = async { work.await.map_err(|error| Error::Unavailable(error.to_string())) };
    crate::events::within_time_limit(work).await.map_err(|error| RedisError::Failed(error.to_string()))
}

fn bytes(result: RedisResult) -> Vec<u8> {
    match result {
        RedisResult::Nil => Vec::new(),
        RedisResult::Status(text) => text.into_bytes(),
        RedisResult::Int64(number) => number.to_string().into_bytes(),
        RedisResult::Binary(bytes) => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_differ_from_broken_connections() {
        for reply in [
            "An error was signalled by the server - ResponseError: NOPERM x",
            "NOPERM: the Redis user lacks the right",
            "CROSSSLOT: Keys in request don't hash to the same slot",
            "OOM",
        ] {
            assert!(is_reply(reply), "{reply}");
        }
        for broken in
            ["broken pipe", "Broken pipe (os error 32)", "unexpected end of file", "", "Connection reset: x"]
        {
            assert!(!is_reply(broken), "{broken}");
        }
    }
}

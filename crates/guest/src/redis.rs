//! Spin's Redis interface as the Redis port of `rollcall-rooms`.

use std::{cell::RefCell, rc::Rc};

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

/// The same Redis for single commands, each within the component's time limit.
#[cfg(feature = "http")]
pub(crate) async fn time_limited() -> Result<TimeLimited, Error> {
    Ok(TimeLimited(SpinRedis { url: variables::get("redis_url").await? }))
}

/// Drops the connection, which may be broken. The next call opens a new one.
pub(crate) fn forget_connection() {
    CONNECTION.set(None);
}

/// Redis, through the instance's connection.
pub struct SpinRedis {
    url: String,
}

impl SpinRedis {
    async fn connection(&self) -> Result<Rc<Connection>, RedisError> {
        if let Some(kept) = CONNECTION.with_borrow(Clone::clone) {
            return Ok(kept);
        }
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
    async fn command(&self, name: &str, arguments: &[&[u8]]) -> Result<Vec<Vec<u8>>, RedisError> {
        let connection = self.connection().await?;
        let parameters: Vec<_> =
            arguments.iter().map(|&bytes| RedisParameter::Binary(bytes.to_vec())).collect();
        match connection.execute(name, parameters).await {
            Ok(reply) => Ok(reply.into_iter().map(bytes).collect()),
            Err(redis::Error::Other(text)) if text.contains("NoScriptError") || text.contains("NOSCRIPT") => {
                Err(RedisError::NoScript)
            }
            Err(error) => {
                forget_connection();
                Err(RedisError::Failed(error.to_string()))
            }
        }
    }
}

/// Redis, with a time limit for each command.
#[cfg(feature = "http")]
pub(crate) struct TimeLimited(SpinRedis);

#[cfg(feature = "http")]
impl Redis for TimeLimited {
    async fn command(&self, name: &str, arguments: &[&[u8]]) -> Result<Vec<Vec<u8>>, RedisError> {
        let work = async {
            self.0.command(name, arguments).await.map_err(|error| Error::Unavailable(error.to_string()))
        };
        crate::events::within_time_limit(work).await.map_err(|error| RedisError::Failed(error.to_string()))
    }
}

fn bytes(result: RedisResult) -> Vec<u8> {
    match result {
        RedisResult::Nil => Vec::new(),
        RedisResult::Status(text) => text.into_bytes(),
        RedisResult::Int64(number) => number.to_string().into_bytes(),
        RedisResult::Binary(bytes) => bytes,
    }
}

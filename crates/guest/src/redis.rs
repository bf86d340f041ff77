//! Spin's Redis interface as the port of `rollcall-rooms`.

use std::{cell::RefCell, rc::Rc};

use rollcall_rooms::{
    Failure, Rooms,
    redis::{Redis, RedisError},
};
use spin_sdk::redis::{Connection, Error, RedisParameter, RedisResult};

use crate::{instance::PerInstance, variables};

thread_local! {
    /// The instance's one connection. Opening one is a TCP connection and a handshake each time, and calls on it
    /// pipeline, so it is kept for the life of the instance.
    static CONNECTION: RefCell<Option<Rc<Connection>>> = const { RefCell::new(None) };

    static ROOMS: PerInstance<Rooms<SpinRedis>> = const { PerInstance::new() };
}

/// The rooms behind the Redis that the component's variables name.
pub async fn rooms() -> Result<Rc<Rooms<SpinRedis>>, Failure> {
    PerInstance::get(&ROOMS, async || {
        let settings = variables::settings().await?;
        let redis = SpinRedis { url: variables::get("redis_url").await? };
        Rooms::new(redis, &settings)
    })
    .await
}

/// Lets the next call open a new connection, since the kept one may be broken.
pub(crate) fn forget_connection() {
    CONNECTION.set(None);
}

/// Redis, through the connection that the instance keeps.
pub struct SpinRedis {
    url: String,
}

impl SpinRedis {
    async fn connection(&self) -> Result<Rc<Connection>, RedisError> {
        if let Some(kept) = CONNECTION.with_borrow(Clone::clone) {
            return Ok(kept);
        }
        let opened = Connection::open(&self.url).await.map_err(|error| match error {
            // The URL holds the password, so it stays out of the message.
            Error::InvalidAddress => {
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
            Err(Error::Other(text)) if text.contains("NoScriptError") || text.contains("NOSCRIPT") => {
                Err(RedisError::NoScript)
            }
            Err(error) => {
                forget_connection();
                Err(RedisError::Failed(error.to_string()))
            }
        }
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

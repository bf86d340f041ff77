//! A real `redis-server`, private to one test.

use std::{process::Command, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, ErrorKind, FromRedisValue, ServerErrorKind, Value,
    aio::MultiplexedConnection,
};
use rollcall_rooms::redis::{Redis, RedisError};
use tokio::task::spawn_blocking;

use crate::substitutes::substitute;

/// How long Redis may take to answer on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// A running server. Dropping it kills it.
pub struct RedisServer(rollcall_servers::RedisServer);

impl RedisServer {
    /// Starts a server that keeps nothing on disk, and waits until it accepts connections.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts such a server after a change of its command.
    pub async fn start_with(configure: impl Fn(&mut Command) + Send + 'static) -> Self {
        let start = || rollcall_servers::RedisServer::start_with(configure);
        let started = spawn_blocking(start).await.expect("the start ran");
        Self(started.expect("redis-server must be installed: run `cargo xtask setup`"))
    }

    /// Its address, as host and port.
    pub fn address(&self) -> String {
        self.0.address()
    }

    /// A client to it.
    pub fn client(&self) -> Client {
        Client::open(self.0.url()).expect("the URL is well formed")
    }

    /// A client to it as another user.
    pub fn client_of(&self, user: &str, password: &str) -> Client {
        let url = format!("redis://{user}:{password}@{}", self.address());
        Client::open(url).expect("the URL is well formed")
    }

    /// A connection to it.
    pub async fn connection(&self) -> MultiplexedConnection {
        connect(&self.client()).await
    }
}

/// A connection that waits for slow answers: the half second that redis-rs grants them is too short for a busy machine.
pub async fn connect(client: &Client) -> MultiplexedConnection {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(DEADLINE))
        .set_response_timeout(Some(DEADLINE));
    client.get_multiplexed_async_connection_with_config(&config).await.expect("Redis is up")
}

/// The port of `rollcall-rooms`, on redis-rs.
#[derive(Clone)]
pub struct RedisPort(pub MultiplexedConnection);

impl Redis for RedisPort {
    async fn command(&self, name: &str, arguments: &[&[u8]]) -> Result<Vec<Vec<u8>>, RedisError> {
        let mut command = redis::cmd(name);
        match arguments.first().and_then(|script| substitute(name, script)) {
            Some(script) => command.arg(script).arg(&arguments[1..]),
            None => command.arg(arguments),
        };
        let reply = command.query_async(&mut self.0.clone()).await.map_err(|error| match error.kind() {
            ErrorKind::Server(ServerErrorKind::NoScript) => RedisError::NoScript,
            _ => RedisError::Failed(error.to_string()),
        })?;
        // As Spin does: a single reply is a list of one.
        match reply {
            Value::Int(number) => Ok(vec![number.to_string().into_bytes()]),
            Value::Okay => Ok(vec![b"OK".into()]),
            Value::BulkString(bytes) => Ok(vec![bytes]),
            Value::Nil => Ok(vec![Vec::new()]),
            reply => Vec::from_redis_value(reply).map_err(|error| RedisError::Failed(error.to_string())),
        }
    }
}

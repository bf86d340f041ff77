//! A real `redis-server`, private to one test.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use redis::{Client, ErrorKind, FromRedisValue, ServerErrorKind, Value, aio::MultiplexedConnection};
use rollcall_rooms::redis::{Redis, RedisError};

/// A running server. Dropping it kills it.
pub struct RedisServer {
    process: Child,
    port: u16,
}

impl RedisServer {
    /// Starts a server on a free port, which keeps nothing on disk, and waits until it answers.
    pub async fn start() -> Self {
        let port = free_port();
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server must be installed: run `cargo xtask setup`");
        let server = Self { process, port };
        let patience = Instant::now() + Duration::from_secs(10);
        while server.client().get_multiplexed_async_connection().await.is_err() {
            assert!(Instant::now() < patience, "redis-server does not answer on port {port}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server
    }

    /// Its address, as host and port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A client to it.
    pub fn client(&self) -> Client {
        Client::open(format!("redis://{}", self.address())).expect("the URL is well formed")
    }

    /// A connection to it.
    pub async fn connection(&self) -> MultiplexedConnection {
        self.client().get_multiplexed_async_connection().await.expect("the server is up")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}

/// The port of `rollcall-rooms`, on redis-rs.
#[derive(Clone)]
pub struct RedisPort(pub MultiplexedConnection);

impl Redis for RedisPort {
    async fn command(&self, name: &str, arguments: &[&[u8]]) -> Result<Vec<Vec<u8>>, RedisError> {
        let mut command = redis::cmd(name);
        for argument in arguments {
            command.arg(argument);
        }
        let reply = command.query_async(&mut self.0.clone()).await.map_err(|error| match error.kind() {
            ErrorKind::Server(ServerErrorKind::NoScript) => RedisError::NoScript,
            _ => RedisError::Failed(error.to_string()),
        })?;
        // As Spin does: a single reply is a list of one.
        match reply {
            Value::Int(number) => Ok(vec![number.to_string().into_bytes()]),
            reply => Vec::from_redis_value(reply).map_err(|error| RedisError::Failed(error.to_string())),
        }
    }
}

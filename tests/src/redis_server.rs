//! A real `redis-server`, private to one test.

use std::{cell::Cell, process::Command, rc::Rc, time::Duration};

use redis::{AsyncConnectionConfig, Client, FromRedisValue, RedisResult, Value, aio::MultiplexedConnection};
use rollcall_rooms::redis::{
    Redis, RedisError,
    client::{Network, PAUSE_MS},
};
use tokio::{task::spawn_blocking, time::sleep};

use crate::substitutes::substitute;

/// How long Redis may take to answer on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

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

    /// Starts a server that can be a node of a cluster.
    pub async fn start_node() -> Self {
        let start = || {
            rollcall_servers::RedisServer::start_node(|command| {
                command.args(["--repl-diskless-sync-delay", "0", "--cluster-node-timeout", "1000"]);
                // A replica takes over however long its connection to the primary has been broken.
                command.args(["--cluster-replica-validity-factor", "0"]);
            })
        };
        let started = spawn_blocking(start).await.expect("the start ran");
        Self(started.expect("redis-server must be installed: run `cargo xtask setup`"))
    }

    /// The port for other nodes.
    pub fn bus_port(&self) -> u16 {
        self.0.bus_port()
    }

    /// Runs a command over a connection of its own.
    pub async fn query<T: FromRedisValue>(&self, words: &[&str]) -> RedisResult<T> {
        redis::cmd(words[0]).arg(&words[1..]).query_async(&mut self.connection().await).await
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
    try_connect(client).await.expect("Redis is up")
}

async fn try_connect(client: &Client) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(DEADLINE))
        .set_response_timeout(Some(DEADLINE));
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// The port of `rollcall-rooms`, on one connection of redis-rs.
#[derive(Clone)]
pub struct RedisPort(pub MultiplexedConnection);

impl Redis for RedisPort {
    async fn command(&self, name: &str, arguments: &[&[u8]]) -> Result<Vec<Vec<u8>>, RedisError> {
        execute(&self.0, name, arguments).await
    }
}

/// Servers, through redis-rs.
pub struct RedisNetwork {
    /// The configured address, as host and port.
    address: String,
    failures: Rc<Cell<usize>>,
}

impl RedisNetwork {
    /// The server, or the cluster, at an address.
    pub fn new(address: String) -> Self {
        Self { address, failures: Rc::default() }
    }

    /// The number of commands without a reply, which servers may have run.
    pub fn failures(&self) -> Rc<Cell<usize>> {
        Rc::clone(&self.failures)
    }
}

impl Network for RedisNetwork {
    type Connection = MultiplexedConnection;

    async fn connect(&self, node: Option<&str>) -> Result<MultiplexedConnection, RedisError> {
        let client = Client::open(format!("redis://{}", node.unwrap_or(&self.address)));
        try_connect(&client.expect("an address"))
            .await
            .map_err(|error| RedisError::Unreachable(error.to_string()))
    }

    async fn execute(
        &self,
        connection: &MultiplexedConnection,
        name: &str,
        arguments: &[&[u8]],
    ) -> Result<Vec<Vec<u8>>, RedisError> {
        let outcome = execute(connection, name, arguments).await;
        if let Err(RedisError::Failed(_)) = outcome {
            self.failures.set(self.failures.get() + 1);
        }
        outcome
    }

    async fn pause(&self) {
        sleep(Duration::from_millis(PAUSE_MS)).await;
    }
}

async fn execute(
    connection: &MultiplexedConnection,
    name: &str,
    arguments: &[&[u8]],
) -> Result<Vec<Vec<u8>>, RedisError> {
    let mut command = redis::cmd(name);
    match arguments.first().and_then(|script| substitute(name, script)) {
        Some(script) => command.arg(script).arg(&arguments[1..]),
        None => command.arg(arguments),
    };
    // As Spin does: a single reply is a list of one.
    match command.query_async(&mut connection.clone()).await.map_err(|error| read_error(&error))? {
        Value::Int(number) => Ok(vec![number.to_string().into_bytes()]),
        Value::Okay => Ok(vec![b"OK".into()]),
        Value::BulkString(bytes) => Ok(vec![bytes]),
        Value::Nil => Ok(vec![Vec::new()]),
        reply => Vec::from_redis_value(reply).map_err(|error| RedisError::Failed(error.to_string())),
    }
}

fn read_error(error: &redis::RedisError) -> RedisError {
    let Some(code) = error.code() else { return RedisError::Failed(error.to_string()) };
    match RedisError::of_reply(code, error.detail().unwrap_or_default()) {
        RedisError::Refused(_) => RedisError::Refused(error.to_string()),
        error => error,
    }
}

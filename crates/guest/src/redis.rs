//! Spin's Redis interface as the Redis port of `rollcall-rooms`.

use std::{
    cell::Cell,
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::Poll,
    time::{Duration, Instant},
};

use rollcall_rooms::{
    Error, Rooms,
    redis::{
        RedisError,
        client::{Client, Network, PAUSE_MS},
    },
};
#[cfg(feature = "http")]
use rollcall_rooms::{redis::Redis, token::published};
use spin_sdk::redis::{self, Connection, RedisParameter, RedisResult};

use crate::{
    instance::PerInstance,
    reply::{at_address, read_error},
    variables,
};

thread_local! {
    /// The instance's only client. The instance keeps the connections of the client, because opening one costs a TCP
    /// connection and a handshake, and calls on one connection pipeline.
    static CLIENT: PerInstance<Client<SpinNetwork>> = const { PerInstance::new() };

    static ROOMS: PerInstance<Rooms<Rc<Client<SpinNetwork>>>> = const { PerInstance::new() };

    static SLEEP: Cell<Sleep> = const { Cell::new(poll_until_over) };
}

/// The rooms in the Redis of the component's variables.
pub async fn rooms() -> Result<Rc<Rooms<Rc<Client<SpinNetwork>>>>, Error> {
    PerInstance::get(&ROOMS, async || Rooms::new(client().await?, &variables::settings().await?)).await
}

/// Checks the variables of the rooms, and that Redis lets the app do all its work.
pub async fn check() -> Result<(), Error> {
    rooms().await?.check().await
}

/// What the instances share about published keys, in the same Redis. Each command is within the component's time limit.
#[cfg(feature = "http")]
pub(crate) async fn shared_keys() -> Result<published::Shared<TimeLimited>, Error> {
    Ok(published::Shared::new(TimeLimited(client().await?), (*variables::keyspace().await?).clone()))
}

async fn client() -> Result<Rc<Client<SpinNetwork>>, Error> {
    PerInstance::get(&CLIENT, async || {
        Ok(Client::new(SpinNetwork { url: variables::get("redis_url").await? }))
    })
    .await
}

/// Whether the instance has a connection.
#[cfg(feature = "http")]
pub(crate) fn is_connected() -> bool {
    PerInstance::kept(&CLIENT).is_some_and(|client| client.is_connected())
}

/// Drops the connections, which may be broken. The next call opens new ones.
pub(crate) fn forget_connections() {
    if let Some(client) = PerInstance::kept(&CLIENT) {
        client.disconnect();
    }
}

/// Servers, through Spin's interface.
pub struct SpinNetwork {
    url: String,
}

impl Network for SpinNetwork {
    type Connection = Connection;

    async fn connect(&self, node: Option<&str>) -> Result<Connection, RedisError> {
        let url = node.map_or_else(|| self.url.clone(), |node| at_address(&self.url, node));
        Connection::open(url).await.map_err(|error| match error {
            // The URL holds the password and must not appear in the message.
            redis::Error::InvalidAddress => RedisError::Unreachable(match node {
                Some(node) => format!("{node} is not allowed or cannot be reached"),
                None => "redis_url is not allowed or cannot be reached".to_owned(),
            }),
            error => RedisError::Unreachable(format!("cannot connect: {error}")),
        })
    }

    async fn execute(
        &self,
        connection: &Connection,
        name: &str,
        arguments: &[&[u8]],
    ) -> Result<Vec<Vec<u8>>, RedisError> {
        let parameters: Vec<_> =
            arguments.iter().map(|&bytes| RedisParameter::Binary(bytes.to_vec())).collect();
        match connection.execute(name, parameters).await {
            Ok(reply) => Ok(reply.into_iter().map(bytes).collect()),
            Err(redis::Error::Other(text)) => Err(read_error(&text)),
            Err(error) => Err(RedisError::Failed(error.to_string())),
        }
    }

    async fn pause(&self) {
        SLEEP.get()(Duration::from_millis(PAUSE_MS)).await;
    }
}

/// A wait for a time.
type Sleep = fn(Duration) -> Pin<Box<dyn Future<Output = ()>>>;

/// Sets how the instance waits for a time. A component on a schedule must not even name a clock that wakes it, because
/// its Spin has none.
#[cfg(feature = "http")]
pub(crate) fn sleep_by(sleep: Sleep) {
    SLEEP.set(sleep);
}

fn poll_until_over(time: Duration) -> Pin<Box<dyn Future<Output = ()>>> {
    let start = Instant::now();
    Box::pin(poll_fn(move |cx| {
        if start.elapsed() >= time {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }))
}

/// Redis, with a time limit for each command.
#[cfg(feature = "http")]
pub(crate) struct TimeLimited(Rc<Client<SpinNetwork>>);

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

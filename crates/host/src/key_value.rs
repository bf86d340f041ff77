//! Key-value stores in Redis with the layout of Spin's own Redis provider: each key is a Redis key without a prefix.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use redis::{
    Client, Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, ServerErrorKind,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use wasmtime::component::{Accessor, FutureReader, HasSelf, Resource, StreamReader};

use crate::{
    bindings::key_value::{Error, Host, HostStore, HostStoreWithStore},
    state::State,
};

/// The only store.
const DEFAULT: &str = "default";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
/// How many keys Redis visits in one step of a list, so that a long list does not block Redis.
const SCAN_COUNT: usize = 1000;

/// The connection to the Redis of all stores. It reconnects after it has broken.
#[derive(Clone)]
pub(crate) struct KeyValue {
    client: Client,
    kept: Arc<Mutex<ConnectionManager>>,
}

/// A store that a component has opened.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OpenStore(KeyValue);

type Opened = Resource<OpenStore>;
type HostResult<T> = wasmtime::Result<Result<T, Error>>;

impl KeyValue {
    /// Connects at the first use, so that an application without key-value stores needs no Redis.
    pub(crate) fn new(url: &str) -> Result<Self> {
        let client = Client::open(url).context("key_value_redis must be like \"redis://host:6379\"")?;
        let connection = connect(&client).context("cannot use key_value_redis")?;
        Ok(Self { client, kept: Arc::new(Mutex::new(connection)) })
    }

    fn kept(&self) -> MutexGuard<'_, ConnectionManager> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a command. The connection may have broken since its last use, because Redis has restarted. Then the command
    /// runs once more, which is safe for every command of a store.
    async fn query<T: FromRedisValue>(&self, cmd: Cmd) -> Result<T, Error> {
        let mut connection = self.kept().clone();
        match cmd.query_async(&mut connection).await {
            Err(error) if error.is_connection_dropped() => cmd.query_async(&mut connection).await,
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly) => {
                // The server has become a replica, and the address may lead to another one by now.
                let mut connection = connect(&self.client).map_err(failed)?;
                *self.kept() = connection.clone();
                cmd.query_async(&mut connection).await
            }
            outcome => outcome,
        }
        .map_err(failed)
    }

    async fn keys(&self) -> Result<Vec<String>, Error> {
        let mut keys = BTreeSet::new();
        let mut cursor: u64 = 0;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("COUNT").arg(SCAN_COUNT);
            let (next, found): (u64, Vec<String>) = self.query(scan).await?;
            keys.extend(found);
            if next == 0 {
                return Ok(keys.into_iter().collect());
            }
            cursor = next;
        }
    }
}

/// Connects at the first command.
fn connect(client: &Client) -> RedisResult<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(RESPONSE_TIMEOUT));
    client.get_connection_manager_lazy(config)
}

impl Host for State {}

impl HostStore for State {
    fn drop(&mut self, store: Opened) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}

impl<T: Send> HostStoreWithStore<T> for HasSelf<State> {
    async fn open(accessor: &Accessor<T, Self>, label: String) -> HostResult<Opened> {
        accessor.with(|mut access| {
            let state = access.get();
            if !state.component.key_value_stores.contains(&label) {
                return Ok(Err(Error::AccessDenied));
            }
            if label != DEFAULT {
                return Ok(Err(Error::NoSuchStore));
            }
            let store = OpenStore(state.component.key_value.clone());
            Ok(state.table.push(store).map_err(|_| Error::StoreTableFull))
        })
    }

    async fn get(accessor: &Accessor<T, Self>, store: Opened, key: String) -> HostResult<Option<Vec<u8>>> {
        Ok(opened(accessor, &store)?.query(Cmd::get(key)).await)
    }

    async fn set(accessor: &Accessor<T, Self>, store: Opened, key: String, value: Vec<u8>) -> HostResult<()> {
        Ok(opened(accessor, &store)?.query(Cmd::set(key, value)).await)
    }

    async fn delete(accessor: &Accessor<T, Self>, store: Opened, key: String) -> HostResult<()> {
        Ok(opened(accessor, &store)?.query(Cmd::del(key)).await)
    }

    async fn exists(accessor: &Accessor<T, Self>, store: Opened, key: String) -> HostResult<bool> {
        Ok(opened(accessor, &store)?.query(Cmd::exists(key)).await)
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        store: Opened,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), Error>>)> {
        let (keys, end) = match opened(accessor, &store)?.keys().await {
            Ok(keys) => (keys, Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        };
        accessor.with(|mut access| {
            let keys = StreamReader::new(&mut access, keys)?;
            let end = FutureReader::new(&mut access, async move { wasmtime::error::Ok(end) })?;
            Ok((keys, end))
        })
    }
}

fn opened<T: Send>(accessor: &Accessor<T, HasSelf<State>>, store: &Opened) -> wasmtime::Result<KeyValue> {
    accessor.with(|mut access| Ok(access.get().table.get(store)?.0.clone()))
}

fn failed(error: RedisError) -> Error {
    tracing::warn!(%error, "key-value store failed");
    Error::Other(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_servers::RedisServer;

    fn connect(redis: &RedisServer) -> redis::Connection {
        redis::Client::open(redis.url()).unwrap().get_connection().unwrap()
    }

    #[tokio::test]
    async fn a_key_is_a_redis_key() {
        let redis = RedisServer::start().unwrap();
        let store = KeyValue::new(&redis.url()).unwrap();
        store.query::<()>(Cmd::set("a", b"\x00binary".to_vec())).await.unwrap();
        let value: Vec<u8> = redis::Cmd::get("a").query(&mut connect(&redis)).unwrap();
        assert_eq!(value, b"\x00binary");
    }

    #[tokio::test]
    async fn all_keys_are_listed_once() {
        let redis = RedisServer::start().unwrap();
        let mut direct = connect(&redis);
        for n in 0..2500 {
            redis::cmd("SET").arg(format!("key-{n}")).arg(n).exec(&mut direct).unwrap();
        }
        let keys = KeyValue::new(&redis.url()).unwrap().keys().await.unwrap();
        assert_eq!(keys.len(), 2500);
    }

    #[tokio::test]
    async fn a_lost_connection_comes_back() {
        let redis = RedisServer::start().unwrap();
        let store = KeyValue::new(&redis.url()).unwrap();
        store.query::<()>(Cmd::set("a", 1)).await.unwrap();
        let kill = redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").to_owned();
        kill.exec(&mut connect(&redis)).unwrap();
        let mut found = store.query::<Option<i64>>(Cmd::get("a")).await;
        for _ in 0..3 {
            if found.is_ok() {
                break;
            }
            found = store.query(Cmd::get("a")).await;
        }
        assert_eq!(found.unwrap(), Some(1));
    }

    #[test]
    fn an_unusable_url_is_an_error() {
        let error = KeyValue::new("localhost:6379").err().unwrap().to_string();
        assert!(error.contains("key_value_redis"), "{error}");
    }
}

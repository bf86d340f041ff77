//! Key-value stores in Redis with the layout of Spin's own Redis provider: each key is a Redis key without a prefix.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use redis::{
    Client, Cmd, ConnectionAddr, ErrorKind, FromRedisValue, RedisError, RedisResult, ServerErrorKind, Value,
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
/// How often a command follows its key to another node of a cluster.
const MAX_MOVES: usize = 5;
/// How many keys Redis visits in one step of a list, so that a long list does not block Redis.
const SCAN_COUNT: usize = 1000;

/// The connections to the Redis of all stores, which reconnect after they have broken: to the configured address and, in
/// a cluster, to the nodes that it has named.
#[derive(Clone)]
pub(crate) struct KeyValue {
    client: Client,
    kept: Arc<Mutex<HashMap<Node, ConnectionManager>>>,
}

/// A node of a cluster, as host and port; none for the configured address.
type Node = Option<String>;

/// Where a command has to go instead.
enum Redirect {
    /// There from now on.
    Moved(Node),
    /// There for this command only, while the key moves.
    Ask(Node),
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
        Ok(Self { client, kept: Arc::new(Mutex::new(HashMap::from([(None, connection)]))) })
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<Node, ConnectionManager>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connection(&self, node: &Node) -> RedisResult<ConnectionManager> {
        if let Some(kept) = self.kept().get(node) {
            return Ok(kept.clone());
        }
        let connection = connect(&self.client_of(node)?)?;
        self.kept().insert(node.clone(), connection.clone());
        Ok(connection)
    }

    fn client_of(&self, node: &Node) -> RedisResult<Client> {
        let Some((host, port)) = node.as_deref().and_then(|node| node.rsplit_once(':')) else {
            return Ok(self.client.clone());
        };
        let info = self.client.get_connection_info().clone();
        let mut addr = info.addr().clone();
        if let ConnectionAddr::Tcp(to, to_port) | ConnectionAddr::TcpTls { host: to, port: to_port, .. } =
            &mut addr
        {
            // No host means the same host.
            if !host.is_empty() {
                host.clone_into(to);
            }
            *to_port = port.parse().unwrap_or(*to_port);
        }
        Client::open(info.set_addr(addr))
    }

    /// Runs a command where its key is. In a cluster, the node at the configured address says where that is. Definitions
    /// are read so rarely that nobody remembers it.
    async fn query<T: FromRedisValue>(&self, cmd: Cmd) -> Result<T, Error> {
        let mut to = Redirect::Moved(None);
        for _ in 0..MAX_MOVES {
            match self.query_at(&to, &cmd).await {
                Err(error) => match redirect_of(&error) {
                    Some(redirect) => to = redirect,
                    None => return Err(failed(error)),
                },
                Ok(value) => return Ok(value),
            }
        }
        Err(Error::Other("the key moves too often".to_owned()))
    }

    async fn query_at<T: FromRedisValue>(&self, to: &Redirect, cmd: &Cmd) -> RedisResult<T> {
        match to {
            Redirect::Moved(node) => self.query_node(node, cmd).await,
            Redirect::Ask(node) => {
                let mut pipeline = redis::pipe();
                pipeline.cmd("ASKING").ignore().add_command(cmd.clone());
                let (value,) = pipeline.query_async(&mut self.connection(node)?).await?;
                Ok(value)
            }
        }
    }

    /// Runs a command at a node. The connection may have broken since its last use, because Redis has restarted. Then the
    /// command runs once more, which is safe for every command of a store.
    async fn query_node<T: FromRedisValue>(&self, node: &Node, cmd: &Cmd) -> RedisResult<T> {
        let mut connection = self.connection(node)?;
        match cmd.query_async(&mut connection).await {
            Err(error) if error.is_connection_dropped() => cmd.query_async(&mut connection).await,
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly) => {
                // The server has become a replica, and the address may lead to another one by now.
                self.kept().remove(node);
                cmd.query_async(&mut self.connection(node)?).await
            }
            outcome => outcome,
        }
    }

    async fn keys(&self) -> Result<Vec<String>, Error> {
        let mut keys = BTreeSet::new();
        for node in self.find_nodes().await {
            self.scan(&node, &mut keys).await.map_err(failed)?;
        }
        Ok(keys.into_iter().collect())
    }

    /// All nodes that have keys: the primaries of a cluster, or else the configured address.
    async fn find_nodes(&self) -> BTreeSet<Node> {
        let mut slots = redis::cmd("CLUSTER");
        slots.arg("SLOTS");
        match self.query_node::<Vec<Vec<Value>>>(&None, &slots).await {
            Ok(ranges) => ranges.into_iter().filter_map(primary_of).map(Some).collect(),
            Err(_) => BTreeSet::from([None]),
        }
    }

    async fn scan(&self, node: &Node, keys: &mut BTreeSet<String>) -> RedisResult<()> {
        let mut cursor: u64 = 0;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("COUNT").arg(SCAN_COUNT);
            let (next, found): (u64, Vec<String>) = self.query_node(node, &scan).await?;
            keys.extend(found);
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }
}

/// The primary in a range of CLUSTER SLOTS, which follows the first and the last slot.
fn primary_of(range: Vec<Value>) -> Option<String> {
    let mut primary = Vec::<Value>::from_redis_value(range.into_iter().nth(2)?).ok()?.into_iter();
    let host = Option::<String>::from_redis_value(primary.next()?).ok()?.unwrap_or_default();
    let port = u16::from_redis_value(primary.next()?).ok()?;
    Some(format!("{host}:{port}"))
}

fn redirect_of(error: &RedisError) -> Option<Redirect> {
    let node = error.redirect_node().map(|(node, _)| node.to_owned());
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::Moved) => Some(Redirect::Moved(node)),
        ErrorKind::Server(ServerErrorKind::Ask) => Some(Redirect::Ask(node)),
        _ => None,
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

    /// The slots of a cluster of two nodes.
    const SLOTS: [[&str; 2]; 2] = [["0", "8191"], ["8192", "16383"]];

    fn run<T: FromRedisValue>(node: &RedisServer, words: &[&str]) -> T {
        redis::cmd(words[0]).arg(&words[1..]).query(&mut connect(node)).unwrap()
    }

    fn start_cluster() -> [RedisServer; 2] {
        let nodes = [(); 2].map(|()| RedisServer::start_node(|_| {}).unwrap());
        for ((node, [first, last]), epoch) in nodes.iter().zip(SLOTS).zip(["1", "2"]) {
            run::<()>(node, &["CLUSTER", "ADDSLOTSRANGE", first, last]);
            run::<()>(node, &["CLUSTER", "SET-CONFIG-EPOCH", epoch]);
        }
        let (address, bus_port) = (nodes[1].address(), nodes[1].bus_port().to_string());
        let (host, port) = address.split_once(':').unwrap();
        run::<()>(&nodes[0], &["CLUSTER", "MEET", host, port, &bus_port]);
        for node in &nodes {
            while !run::<String>(node, &["CLUSTER", "INFO"]).contains("cluster_state:ok") {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        nodes
    }

    #[tokio::test]
    async fn in_a_cluster_every_key_is_found() {
        let nodes = start_cluster();
        let store = KeyValue::new(&nodes[0].url()).unwrap();
        for number in 0..20 {
            store.query::<()>(Cmd::set(format!("key-{number}"), number)).await.unwrap();
        }
        for number in 0..20 {
            assert_eq!(store.query::<u32>(Cmd::get(format!("key-{number}"))).await.unwrap(), number);
        }
        let counts = nodes.each_ref().map(|node| run::<usize>(node, &["DBSIZE"]));
        assert!(counts.iter().all(|&count| count > 0), "{counts:?}");
        assert_eq!(store.keys().await.unwrap().len(), 20);
    }

    #[tokio::test]
    async fn a_key_whose_slot_moves_is_found_in_both_nodes() {
        let nodes = start_cluster();
        let ids = nodes.each_ref().map(|node| run::<String>(node, &["CLUSTER", "MYID"]));
        let store = KeyValue::new(&nodes[0].url()).unwrap();
        // The same slot, which the first node has.
        let (old, new) = ("{bar}old", "{bar}new");
        let slot = run::<u16>(&nodes[0], &["CLUSTER", "KEYSLOT", old]).to_string();
        store.query::<()>(Cmd::set(old, 1)).await.unwrap();
        run::<()>(&nodes[1], &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &ids[0]]);
        run::<()>(&nodes[0], &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &ids[1]]);
        store.query::<()>(Cmd::set(new, 2)).await.unwrap();
        assert_eq!(nodes.each_ref().map(|node| run::<usize>(node, &["DBSIZE"])), [1, 1]);
        for (key, value) in [(old, 1), (new, 2)] {
            assert_eq!(store.query::<u32>(Cmd::get(key)).await.unwrap(), value);
        }
        let missing = store.query::<Option<u32>>(Cmd::get("{bar}missing")).await.unwrap();
        assert_eq!(missing, None);
    }

    #[test]
    fn an_unusable_url_is_an_error() {
        let error = KeyValue::new("localhost:6379").err().unwrap().to_string();
        assert!(error.contains("key_value_redis"), "{error}");
    }
}

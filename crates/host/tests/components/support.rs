//! Applications for tests, each with a Redis of its own.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use rollcall_host::{Host, Options};
use rollcall_protocol::{
    call::{self, Secret},
    client::Profile,
    event::{AppEvent, Join},
};
pub(crate) use rollcall_servers::RedisServer;
use serde_json::Value;

pub(crate) const OPERATOR_TOKEN: &str = "operator-token-of-the-tests";

pub(crate) const BRIDGE_SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The file of a component that `cargo xtask build` has built.
pub(crate) fn wasm(component: &str) -> String {
    let path = project().join(format!("target/wasm32-wasip2/component/{component}.wasm"));
    assert!(path.is_file(), "{} does not exist: run `cargo xtask build`", path.display());
    path.display().to_string()
}

/// Loads Rollcall with the variables that it requires.
pub(crate) async fn rollcall(redis: &RedisServer) -> Host {
    rollcall_with(redis, &[]).await
}

/// Loads Rollcall with further variables.
pub(crate) async fn rollcall_with(redis: &RedisServer, more: &[(&str, &str)]) -> Host {
    load(project().join("spin.toml"), &component_cache(), redis, variables(redis, more)).await.unwrap()
}

/// Loads Rollcall with definitions in a Redis of their own.
pub(crate) async fn rollcall_with_store(redis: &RedisServer, store: &RedisServer) -> Host {
    load(project().join("spin.toml"), &component_cache(), store, variables(redis, &[])).await.unwrap()
}

/// Loads only the component `join`, because compiling all components takes most of a test's time.
pub(crate) async fn join_with(redis: &RedisServer, more: &[(&str, &str)]) -> Host {
    join_cached_in(&component_cache(), redis, more).await
}

/// Loads only the component `join`, with definitions in a Redis of their own.
pub(crate) async fn join_with_store(redis: &RedisServer, store: &RedisServer) -> Host {
    load_join(&component_cache(), store, variables(redis, &[])).await
}

/// Loads only the component `join`, with a folder for compiled components.
pub(crate) async fn join_cached_in(cache: &Path, redis: &RedisServer, more: &[(&str, &str)]) -> Host {
    load_join(cache, redis, variables(redis, more)).await
}

async fn load_join(cache: &Path, store: &RedisServer, variables: BTreeMap<String, String>) -> Host {
    let manifest = std::fs::read_to_string(project().join("spin.toml")).unwrap();
    let (head, triggers) = manifest.split_once("[[trigger.").unwrap();
    let join = triggers.split("[[trigger.").find(|trigger| trigger.contains("[component.join]")).unwrap();
    let join = join.replace("\"target/", &format!("\"{}/target/", project().display()));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spin.toml");
    std::fs::write(&path, format!("{head}[[trigger.{join}")).unwrap();
    load(path, cache, store, variables).await.unwrap()
}

fn component_cache() -> PathBuf {
    project().join("target/component-cache")
}

fn variables(redis: &RedisServer, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let address = redis.address();
    let needed = [
        ("redis_address", address.as_str()),
        ("bridge_secrets", BRIDGE_SECRET),
        ("jwt_keys", r#"{"keys":[]}"#),
        ("operator_tokens", OPERATOR_TOKEN),
    ];
    needed.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Loads an application from a manifest in the test.
pub(crate) async fn application(redis: &RedisServer, manifest: &str) -> anyhow::Result<Host> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spin.toml");
    std::fs::write(&path, format!("spin_manifest_version = 2\n[application]\nname = \"test\"\n{manifest}"))
        .unwrap();
    load(path, &component_cache(), redis, BTreeMap::new()).await
}

async fn load(
    manifest: PathBuf,
    cache: &Path,
    store: &RedisServer,
    variables: BTreeMap<String, String>,
) -> anyhow::Result<Host> {
    let component_cache = Some(cache.to_owned());
    Host::load(Options { manifest, variables, key_value_redis: store.url(), component_cache }).await
}

/// A connection to the server.
pub(crate) fn connect(redis: &RedisServer) -> redis::Connection {
    redis::Client::open(redis.url()).unwrap().get_connection().unwrap()
}

/// What Redis has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) connections: u64,
    pub(crate) scripts: u64,
}

impl Counts {
    pub(crate) fn since(self, before: Self) -> Self {
        Self { connections: self.connections - before.connections, scripts: self.scripts - before.scripts }
    }
}

pub(crate) fn count(redis: &mut redis::Connection) -> Counts {
    let mut info = |section: &str| redis::cmd("INFO").arg(section).query::<String>(redis).unwrap();
    let (stats, commands) = (info("stats"), info("commandstats"));
    let number =
        |text: &str| text.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse::<u64>().unwrap();
    let find = |text: &str, name: &str| text.lines().find_map(|line| line.strip_prefix(name).map(number));
    let scripts =
        ["cmdstat_eval:calls=", "cmdstat_evalsha:calls="].map(|name| find(&commands, name).unwrap_or(0));
    Counts {
        connections: find(&stats, "total_connections_received:").unwrap(),
        scripts: scripts.iter().sum(),
    }
}

/// How often the key-value store has run a command about a definition.
pub(crate) fn count_store(store: &mut redis::Connection) -> u64 {
    let info: String = redis::cmd("INFO").arg("commandstats").query(store).unwrap();
    let calls = |line: &str| {
        let (command, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let is_counted = ["get", "set", "del", "exists"].contains(&command);
        is_counted.then(|| rest.split(',').next().unwrap().parse::<u64>().unwrap())
    };
    info.lines().filter_map(calls).sum()
}

/// Sends an event, as a bridge does.
pub(crate) async fn send(host: &Host, event: &impl AppEvent, id: &str) -> Response<Bytes> {
    let now_s = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs().try_into().unwrap();
    let secret: Secret = BRIDGE_SECRET.parse().unwrap();
    host.handle(call::sign(event, id, &"node".parse().unwrap(), now_s, &secret).unwrap()).await
}

/// Joins a room with a new entry, as a bridge does. Returns the data of the ack or the code of the refusal.
pub(crate) async fn send_join(host: &Host, room: &str, user: &str, entry: &str) -> Result<Value, String> {
    let join = Join {
        room_id: room.parse().unwrap(),
        profile: Profile { user_id: user.parse().unwrap(), user_name: user.to_owned(), user_role: None },
        entry_id: entry.parse().unwrap(),
        grant: None,
        node_id: "node".parse().unwrap(),
        resume_hash: "hash".parse().unwrap(),
        resumes: None,
        replaces: None,
        refreshes: 0,
    };
    let response = send(host, &join, entry).await;
    for secret in ["sesame", "study:"] {
        assert!(!text(&response).contains(secret), "{}", text(&response));
    }
    let ack: Value = serde_json::from_str(text(&response)).unwrap();
    match response.status() {
        StatusCode::OK => Ok(ack["data"].clone()),
        _ => Err(ack["code"].as_str().unwrap().to_owned()),
    }
}

pub(crate) fn request(method: &str, path: &str, body: &str) -> Request<Bytes> {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    let request = request.header("authorization", format!("Bearer {OPERATOR_TOKEN}"));
    request.body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

pub(crate) fn text(response: &Response<Bytes>) -> &str {
    std::str::from_utf8(response.body()).unwrap()
}

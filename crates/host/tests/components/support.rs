//! Applications for tests, each with a Redis of its own.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use http::{Request, Response};
use rollcall_host::{Host, Options};
pub(crate) use rollcall_servers::RedisServer;

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

/// Loads only the component `join`, because compiling all components takes most of a test's time.
pub(crate) async fn join_with(redis: &RedisServer, more: &[(&str, &str)]) -> Host {
    join_cached_in(&component_cache(), redis, more).await
}

/// Loads only the component `join`, with a folder for compiled components.
pub(crate) async fn join_cached_in(cache: &Path, redis: &RedisServer, more: &[(&str, &str)]) -> Host {
    let manifest = std::fs::read_to_string(project().join("spin.toml")).unwrap();
    let (head, triggers) = manifest.split_once("[[trigger.").unwrap();
    let join = triggers.split("[[trigger.").find(|trigger| trigger.contains("[component.join]")).unwrap();
    let join = join.replace("\"target/", &format!("\"{}/target/", project().display()));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spin.toml");
    std::fs::write(&path, format!("{head}[[trigger.{join}")).unwrap();
    load(path, cache, redis, variables(redis, more)).await.unwrap()
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
    redis: &RedisServer,
    variables: BTreeMap<String, String>,
) -> anyhow::Result<Host> {
    let component_cache = Some(cache.to_owned());
    Host::load(Options { manifest, variables, key_value_redis: redis.url(), component_cache }).await
}

/// A connection to the server.
pub(crate) fn connect(redis: &RedisServer) -> redis::Connection {
    redis::Client::open(redis.url()).unwrap().get_connection().unwrap()
}

pub(crate) fn request(method: &str, path: &str, body: &str) -> Request<Bytes> {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    let request = request.header("authorization", format!("Bearer {OPERATOR_TOKEN}"));
    request.body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

pub(crate) fn text(response: &Response<Bytes>) -> &str {
    std::str::from_utf8(response.body()).unwrap()
}

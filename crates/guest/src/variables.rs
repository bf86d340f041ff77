//! Spin's variables.

use std::rc::Rc;

use rollcall_protocol::{Keyspace, status::Status};
use rollcall_rooms::{
    Error, Settings,
    settings::{InvalidSettings, parse_setting},
};
use spin_sdk::variables;

use crate::instance::PerInstance;

thread_local! {
    static KEYSPACE: PerInstance<Keyspace> = const { PerInstance::new() };
    static REDIS_TIMEOUT_MS: PerInstance<u64> = const { PerInstance::new() };
}

/// Reads a variable.
pub async fn get(name: &str) -> Result<String, Error> {
    variables::get(name).await.map_err(|error| misconfigured(&format!("the variable {name}: {error}")))
}

/// A configuration error. Callers learn only that the service is unavailable.
pub fn misconfigured(error: &dyn std::fmt::Display) -> Error {
    Error::Unavailable(format!("misconfigured: {error}"))
}

/// Reads the variable `redis_timeout_ms`.
pub(crate) async fn redis_timeout_ms() -> Result<u64, Error> {
    let read = async || {
        let limit = get("redis_timeout_ms").await?;
        parse_setting("redis_timeout_ms", &limit, 1..=30_000).map_err(|error| misconfigured(&error))
    };
    Ok(*PerInstance::get(&REDIS_TIMEOUT_MS, read).await?)
}

/// The variable `redis_nodes` where Redis is no cluster.
const NO_NODES: &str = "none:0";

/// Reads the settings of the rooms from the variables `settings`, `redis_prefix`, `redis_database` and `redis_nodes`.
pub async fn settings() -> Result<Settings, Error> {
    let settings: Settings =
        get("settings").await?.parse().map_err(|error: InvalidSettings| misconfigured(&error))?;
    let is_cluster = get("redis_nodes").await? != NO_NODES;
    Ok(Settings { keyspace: (*keyspace().await?).clone(), is_cluster, ..settings })
}

/// Reads the variable `study_excludes`: the statuses whose times do not count as study.
pub async fn study_excludes() -> Result<Vec<Status>, Error> {
    let names = get("study_excludes").await?;
    Status::parse_list(&names)
        .map_err(|error| misconfigured(&format_args!("the variable study_excludes: {error}")))
}

/// Reads the variables `redis_prefix` and `redis_database`.
pub(crate) async fn keyspace() -> Result<Rc<Keyspace>, Error> {
    PerInstance::get(&KEYSPACE, read_keyspace).await
}

async fn read_keyspace() -> Result<Keyspace, Error> {
    let (prefix, database) = (get("redis_prefix").await?, get("redis_database").await?);
    let max = u64::from(u16::MAX);
    let number =
        parse_setting("redis_database", &database, 0..=max).map_err(|error| misconfigured(&error))?;
    let prefix = prefix.parse().map_err(|error| {
        misconfigured(&format_args!("the variable redis_prefix {error}, and is {prefix:?}"))
    })?;
    Ok(Keyspace { prefix, database: u16::try_from(number).unwrap_or_default() })
}

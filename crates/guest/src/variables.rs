//! Spin's variables.

use rollcall_rooms::{
    Error, Settings,
    settings::{InvalidSettings, parse_setting},
};
use spin_sdk::variables;

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
    let limit = get("redis_timeout_ms").await?;
    parse_setting("redis_timeout_ms", &limit, 1..=30_000).map_err(|error| misconfigured(&error))
}

/// Reads the settings of the rooms from the variable `settings`.
pub async fn settings() -> Result<Settings, Error> {
    get("settings").await?.parse().map_err(|error: InvalidSettings| misconfigured(&error))
}

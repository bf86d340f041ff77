//! Spin's variables.

use futures_util::future::try_join_all;
use rollcall_rooms::{Failure, Settings};
use spin_sdk::variables;

/// A variable's value.
pub async fn get(name: &str) -> Result<String, Failure> {
    variables::get(name).await.map_err(|error| misconfigured(&format!("the variable {name}: {error}")))
}

/// What cannot be used as it is configured. Callers see only that the service is unavailable.
pub fn misconfigured(error: &dyn std::fmt::Display) -> Failure {
    Failure::Unavailable(format!("misconfigured: {error}"))
}

/// Reads the settings of the rooms.
pub async fn settings() -> Result<Settings, Failure> {
    let values = try_join_all(Settings::VARIABLES.map(get)).await?;
    let values = std::array::from_fn(|i| values[i].as_str());
    Settings::read(values).map_err(|error| misconfigured(&error))
}

//! Spin's variables.

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
    let [grace, lease, lead, roster, retention, shards] = Settings::VARIABLES;
    let values = [
        get(grace).await?,
        get(lease).await?,
        get(lead).await?,
        get(roster).await?,
        get(retention).await?,
        get(shards).await?,
    ];
    Settings::read(values.each_ref().map(String::as_str)).map_err(|error| misconfigured(&error))
}

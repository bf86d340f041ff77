//! Where session definitions come from.

mod key_value;
#[cfg(feature = "postgres")]
mod postgres;

use rollcall_rooms::Failure;

pub use self::key_value::KeyValueDefinitions;
#[cfg(feature = "postgres")]
pub use self::postgres::PostgresDefinitions;
use crate::variables;

/// Where session definitions come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Spin's key-value store, which the HTTP API writes.
    KeyValue,
    /// The token of each user who enters.
    Token,
    /// The study service's own tables.
    Postgres,
}

impl Source {
    /// What the variable `sessions` says.
    pub async fn configured() -> Result<Self, Failure> {
        match variables::get("sessions").await?.as_str() {
            "kv" => Ok(Self::KeyValue),
            "token" => Ok(Self::Token),
            "postgres" => Ok(Self::Postgres),
            _ => Err(variables::misconfigured(&"sessions must be kv, token or postgres")),
        }
    }
}

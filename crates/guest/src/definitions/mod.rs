//! Sources of definitions.

mod key_value;
#[cfg(feature = "postgres")]
mod postgres;

use rollcall_rooms::Error;

pub use self::key_value::KeyValueDefinitions;
#[cfg(feature = "postgres")]
pub use self::postgres::PostgresDefinitions;
use crate::{instance::PerInstance, variables};

thread_local! {
    static SOURCE: PerInstance<Source> = const { PerInstance::new() };
}

/// The configured source of definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Spin's key-value store, which the HTTP API writes.
    KeyValue,
    /// The token of each entering user.
    Token,
    /// The study service's own tables.
    Postgres,
}

impl Source {
    /// The source that the variable `sessions` names.
    pub async fn configured() -> Result<Self, Error> {
        Ok(*PerInstance::get(&SOURCE, Self::read).await?)
    }

    async fn read() -> Result<Self, Error> {
        match variables::get("sessions").await?.as_str() {
            "kv" => Ok(Self::KeyValue),
            "token" => Ok(Self::Token),
            "postgres" => Ok(Self::Postgres),
            _ => Err(variables::misconfigured(&"sessions must be kv, token or postgres")),
        }
    }
}

//! Definitions in Spin's key-value store.

use std::{cell::OnceCell, fmt::Display};

use rollcall_protocol::{RoomId, UserId, definition::StoredDefinition};
use rollcall_rooms::{
    Error,
    definitions::{DefinitionSource, DefinitionStore},
};
use spin_sdk::key_value::{self, Store};

use crate::variables;

/// Definitions in the key-value store named `default`, which the first use opens: most joins do not use the store.
#[derive(Default)]
pub struct KeyValueDefinitions {
    opened: OnceCell<Store>,
}

impl KeyValueDefinitions {
    async fn store(&self) -> Result<&Store, Error> {
        if let Some(store) = self.opened.get() {
            return Ok(store);
        }
        let store = Store::open_default().await.map_err(unavailable)?;
        Ok(self.opened.get_or_init(|| store))
    }

    /// Checks that the store can be read, whether or not it has this room.
    pub async fn check(&self) -> Result<(), Error> {
        self.store().await?.exists(key("check").await?).await.map(drop).map_err(unavailable)
    }
}

impl DefinitionStore for KeyValueDefinitions {
    /// Treats an unreadable definition as absent, so that a new definition can replace it.
    async fn get(&self, room: &RoomId) -> Result<Option<StoredDefinition>, Error> {
        let json = self.store().await?.get(key(room).await?).await.map_err(unavailable)?;
        Ok(json.and_then(|json| serde_json::from_slice(&json).ok()))
    }

    async fn put(&self, room: &RoomId, stored: &StoredDefinition) -> Result<(), Error> {
        let json = serde_json::to_vec(stored).map_err(|error| Error::Unavailable(error.to_string()))?;
        self.store().await?.set(key(room).await?, json).await.map_err(unavailable)
    }

    async fn delete(&self, room: &RoomId) -> Result<(), Error> {
        self.store().await?.delete(key(room).await?).await.map_err(unavailable)
    }
}

impl DefinitionSource for KeyValueDefinitions {
    const HAS_REVISIONS: bool = true;

    async fn find(&self, room: &RoomId, _: &UserId) -> Result<Option<StoredDefinition>, Error> {
        let Some(json) = self.store().await?.get(key(room).await?).await.map_err(unavailable)? else {
            return Ok(None);
        };
        serde_json::from_slice(&json).map(Some).map_err(|error| {
            Error::Unavailable(format!("the definition of room {room} cannot be read: {error}"))
        })
    }
}

/// Deployments that share a Redis may share the store too.
async fn key(name: impl Display) -> Result<String, Error> {
    Ok(variables::keyspace().await?.definition_key(name))
}

fn unavailable(error: key_value::Error) -> Error {
    Error::Unavailable(format!("key-value store: {error}"))
}

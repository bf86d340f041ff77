//! Definitions in Spin's key-value store.

use std::{fmt::Display, rc::Rc};

use rollcall_protocol::{RoomId, UserId, definition::StoredDefinition};
use rollcall_rooms::{
    Error,
    definitions::{DefinitionSource, DefinitionStore},
};
use spin_sdk::key_value::{self, Store};

use crate::{instance::PerInstance, variables};

thread_local! {
    /// Opened by the first use, because most joins do not use the store.
    static STORE: PerInstance<Store> = const { PerInstance::new() };
}

/// Definitions in the key-value store named `default`.
pub struct KeyValueDefinitions;

impl KeyValueDefinitions {
    /// Checks that the store can be read, whether or not it has this room.
    pub async fn check(&self) -> Result<(), Error> {
        store().await?.exists(key("check").await?).await.map(drop).map_err(unavailable)
    }
}

impl DefinitionStore for KeyValueDefinitions {
    /// Treats an unreadable definition as absent, so that a new definition can replace it.
    async fn get(&self, room: &RoomId) -> Result<Option<StoredDefinition>, Error> {
        let json = store().await?.get(key(room).await?).await.map_err(unavailable)?;
        Ok(json.and_then(|json| serde_json::from_slice(&json).ok()))
    }

    async fn put(&self, room: &RoomId, stored: &StoredDefinition) -> Result<(), Error> {
        let json = serde_json::to_vec(stored).map_err(|error| Error::Unavailable(error.to_string()))?;
        store().await?.set(key(room).await?, json).await.map_err(unavailable)
    }

    async fn delete(&self, room: &RoomId) -> Result<(), Error> {
        store().await?.delete(key(room).await?).await.map_err(unavailable)
    }
}

impl DefinitionSource for KeyValueDefinitions {
    const HAS_REVISIONS: bool = true;

    async fn find(&self, room: &RoomId, _: &UserId) -> Result<Option<StoredDefinition>, Error> {
        let Some(json) = store().await?.get(key(room).await?).await.map_err(unavailable)? else {
            return Ok(None);
        };
        serde_json::from_slice(&json).map(Some).map_err(|error| {
            Error::Unavailable(format!("the definition of room {room} cannot be read: {error}"))
        })
    }
}

async fn store() -> Result<Rc<Store>, Error> {
    PerInstance::get(&STORE, async || Store::open_default().await.map_err(unavailable)).await
}

/// Deployments that share a Redis may share the store too.
async fn key(name: impl Display) -> Result<String, Error> {
    Ok(variables::keyspace().await?.definition_key(name))
}

fn unavailable(error: key_value::Error) -> Error {
    Error::Unavailable(format!("key-value store: {error}"))
}

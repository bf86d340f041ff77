//! Session definitions in Spin's key-value store.

use rollcall_protocol::{RoomId, UserId, definition::StoredDefinition};
use rollcall_rooms::{
    Failure,
    directory::{Definitions, Directory},
};
use spin_sdk::key_value::{Error, Store};

/// Session definitions in the key-value store named `default`.
pub struct KeyValueDefinitions {
    store: Store,
}

impl KeyValueDefinitions {
    /// Opens the store.
    pub async fn open() -> Result<Self, Failure> {
        Ok(Self { store: Store::open_default().await.map_err(unavailable)? })
    }
}

impl Definitions for KeyValueDefinitions {
    /// A definition that cannot be read counts as none here, so that a new one can take its place.
    async fn get(&self, room: &RoomId) -> Result<Option<StoredDefinition>, Failure> {
        let json = self.store.get(key(room)).await.map_err(unavailable)?;
        Ok(json.and_then(|json| serde_json::from_slice(&json).ok()))
    }

    async fn put(&self, room: &RoomId, session: &StoredDefinition) -> Result<(), Failure> {
        let json = serde_json::to_vec(session).map_err(|error| Failure::Unavailable(error.to_string()))?;
        self.store.set(key(room), json).await.map_err(unavailable)
    }

    async fn delete(&self, room: &RoomId) -> Result<(), Failure> {
        self.store.delete(key(room)).await.map_err(unavailable)
    }
}

impl Directory for KeyValueDefinitions {
    async fn find(&self, room: &RoomId, _: &UserId) -> Result<Option<StoredDefinition>, Failure> {
        let Some(json) = self.store.get(key(room)).await.map_err(unavailable)? else {
            return Ok(None);
        };
        serde_json::from_slice(&json).map(Some).map_err(|error| {
            Failure::Unavailable(format!("the definition of room {room} cannot be read: {error}"))
        })
    }
}

fn key(room: &RoomId) -> String {
    format!("session:{room}")
}

fn unavailable(error: Error) -> Failure {
    Failure::Unavailable(format!("key-value store: {error}"))
}

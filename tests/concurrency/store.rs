//! The store of one room's session definition.

use std::sync::{Mutex, MutexGuard};

use rollcall_protocol::{RoomId, UserId, definition::StoredDefinition};
use rollcall_rooms::{
    Error,
    definitions::{DefinitionSource, DefinitionStore},
};

#[derive(Default)]
pub struct Store(Mutex<Option<StoredDefinition>>);

impl Store {
    pub fn session(&self) -> Option<StoredDefinition> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<StoredDefinition>> {
        self.0.lock().expect("nobody panics with it")
    }
}

impl DefinitionSource for &Store {
    const HAS_REVISIONS: bool = true;

    async fn find(&self, _: &RoomId, _: &UserId) -> Result<Option<StoredDefinition>, Error> {
        Ok(self.session())
    }
}

/// The store of a caller that crashes when it changes the definition: after its write has arrived, or before.
pub struct Crashing<'a> {
    pub store: &'a Store,
    pub arrives: bool,
}

fn crash() -> Result<(), Error> {
    Err(Error::Unavailable("crashed".to_owned()))
}

impl DefinitionStore for Crashing<'_> {
    async fn get(&self, room: &RoomId) -> Result<Option<StoredDefinition>, Error> {
        self.store.get(room).await
    }

    async fn put(&self, room: &RoomId, session: &StoredDefinition) -> Result<(), Error> {
        if self.arrives {
            self.store.put(room, session).await?;
        }
        crash()
    }

    async fn delete(&self, room: &RoomId) -> Result<(), Error> {
        if self.arrives {
            self.store.delete(room).await?;
        }
        crash()
    }
}

impl DefinitionStore for &Store {
    async fn get(&self, _: &RoomId) -> Result<Option<StoredDefinition>, Error> {
        Ok(self.session())
    }

    async fn put(&self, _: &RoomId, session: &StoredDefinition) -> Result<(), Error> {
        self.lock().replace(session.clone());
        Ok(())
    }

    async fn delete(&self, _: &RoomId) -> Result<(), Error> {
        self.lock().take();
        Ok(())
    }
}

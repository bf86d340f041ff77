//! The ports to sources and stores of definitions.

use rollcall_protocol::{ErrorCode, RoomId, UserId, definition::StoredDefinition};

use crate::Error;

/// A source of definitions, for joins.
#[allow(async_fn_in_trait)]
pub trait DefinitionSource {
    /// Whether a definition has a revision and its whole list of members. A live room then knows its definition, and a
    /// join asks the source only after a change. Another source is asked at each join, because it decides anew.
    const HAS_REVISIONS: bool;

    /// Finds the definition of a room's session. The list of members may be reduced to the given user.
    async fn find(&self, room: &RoomId, user: &UserId) -> Result<Option<StoredDefinition>, Error>;
}

/// A store in which Rollcall keeps definitions.
#[allow(async_fn_in_trait)]
pub trait DefinitionStore {
    /// Reads the definition of a room's session.
    async fn get(&self, room: &RoomId) -> Result<Option<StoredDefinition>, Error>;

    /// Stores a definition.
    async fn put(&self, room: &RoomId, stored: &StoredDefinition) -> Result<(), Error>;

    /// Deletes a definition, if there is one.
    async fn delete(&self, room: &RoomId) -> Result<(), Error>;
}

/// Admits a user to the session of a definition.
///
/// Refuses with `NO_SUCH_ROOM` where no session is defined, and with `NOT_A_MEMBER` where the definition does not admit
/// the user.
pub fn admit(found: Option<StoredDefinition>, user: &UserId) -> Result<StoredDefinition, Error> {
    let stored = found.ok_or(ErrorCode::NoSuchRoom)?;
    if !stored.definition.admits(user) {
        return Err(ErrorCode::NotAMember.into());
    }
    Ok(stored)
}

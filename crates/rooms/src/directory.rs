//! The ports to session definitions.

use rollcall_protocol::{ErrorCode, RoomId, UserId, definition::StoredDefinition};

use crate::Failure;

/// Where session definitions come from.
#[allow(async_fn_in_trait)]
pub trait Directory {
    /// The definition of a room's session, if there is one. Of its list, it need say only whether it holds the user
    /// who wants to enter.
    async fn find(&self, room: &RoomId, user: &UserId) -> Result<Option<StoredDefinition>, Failure>;
}

/// Where session definitions are kept by Rollcall itself.
#[allow(async_fn_in_trait)]
pub trait Definitions {
    /// The definition of a room's session, if there is one.
    async fn get(&self, room: &RoomId) -> Result<Option<StoredDefinition>, Failure>;

    /// Stores a definition.
    async fn put(&self, room: &RoomId, session: &StoredDefinition) -> Result<(), Failure>;

    /// Forgets a definition, if there is one.
    async fn delete(&self, room: &RoomId) -> Result<(), Failure>;
}

/// Finds the session that a user may enter.
///
/// Refuses with `NO_SUCH_ROOM` where none is defined, and with `NOT_A_MEMBER` where it does not admit the user.
pub async fn admit(
    directory: &impl Directory,
    room: &RoomId,
    user: &UserId,
) -> Result<StoredDefinition, Failure> {
    let session = directory.find(room, user).await?.ok_or(ErrorCode::NoSuchRoom)?;
    if !session.definition.admits(user) {
        return Err(ErrorCode::NotAMember.into());
    }
    Ok(session)
}

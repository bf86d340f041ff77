//! Session definitions from the tokens of those who enter.

use rollcall_protocol::{
    ErrorCode, RoomId, UserId,
    definition::{Grant, StoredDefinition},
};

use crate::{Failure, directory::Directory};

/// What the token of the user who enters says.
pub struct Granted<'a>(pub Option<&'a Grant>);

impl Directory for Granted<'_> {
    /// Refuses with `NOT_A_MEMBER` unless the token is for this room. Tokens have no revisions: the first to enter
    /// sets a session's terms, and they stay as they are.
    async fn find(&self, room: &RoomId, _: &UserId) -> Result<Option<StoredDefinition>, Failure> {
        let grant = self.0.filter(|grant| grant.room == *room).ok_or(ErrorCode::NotAMember)?;
        Ok(Some(StoredDefinition { revision: 0, definition: grant.into() }))
    }
}

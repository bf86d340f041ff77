//! Definitions from the tokens of users.

use rollcall_protocol::{
    ErrorCode, RoomId, UserId,
    definition::{Grant, StoredDefinition},
};

use super::DefinitionSource;
use crate::Error;

/// The definition in the token of the user who enters, if the token grants a session.
pub struct TokenDefinitions<'a>(pub Option<&'a Grant>);

impl DefinitionSource for TokenDefinitions<'_> {
    const HAS_REVISIONS: bool = false;

    /// Refuses with `NOT_A_MEMBER` unless the token is for this room. Tokens have no revisions, so the first member
    /// fixes the terms of the session.
    async fn find(&self, room: &RoomId, _: &UserId) -> Result<Option<StoredDefinition>, Error> {
        let grant = self.0.filter(|grant| grant.room == *room).ok_or(ErrorCode::NotAMember)?;
        Ok(Some(StoredDefinition { revision: 0, definition: grant.into() }))
    }
}

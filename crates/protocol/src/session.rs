//! The definition of a session: who may join, who leads, when it ends.

use serde::{Deserialize, Serialize};

use crate::{RoomId, UserId, api::DefinitionPatch};

/// The longest list of members that a definition may hold.
pub const MAX_MEMBERS: usize = 10_000;

/// Times before this (2001, in milliseconds) are surely seconds taken for milliseconds.
const EARLIEST_END_MS: u64 = 1_000_000_000_000;

/// Times after this (the year 5138) have no 14th digit to lose in Redis's Lua numbers.
const LATEST_END_MS: u64 = 99_999_999_999_999;

/// What the study service says of a room's session.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionDefinition {
    /// When the session ends, in milliseconds since 1970.
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 1_000_000_000_000_u64, maximum = 99_999_999_999_999_u64)
    )]
    pub end_at: u64,
    /// Who leads it. The leader may always enter.
    pub leader_id: UserId,
    /// Who may enter; without it, everybody with a valid token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_items = 10_000))]
    pub members: Option<Vec<UserId>>,
    /// What happens when a user who is in the room connects once more.
    #[serde(default)]
    pub duplicates: Duplicates,
    /// How many may be in the room; the leader finds a place even so. Without it, as many as like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub capacity: Option<u32>,
}

/// What happens when a user who is in the room connects once more, without the resume token of the first connection.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Duplicates {
    /// The new connection is refused with `ALREADY_JOINED`.
    #[default]
    Refuse,
    /// The new connection takes the place of the old one, which is closed.
    Takeover,
    /// Both stay: the user is present while at least one connection is.
    Share,
}

/// What a token says of the session that its user may enter: for platforms that keep no definitions here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// The one room that it is for.
    pub room: RoomId,
    /// When the session ends, in milliseconds since 1970.
    pub end_at: u64,
    /// Who leads it.
    pub leader_id: UserId,
    /// What happens when a user who is in the room connects once more.
    #[serde(default)]
    pub duplicates: Duplicates,
    /// How many may be in the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
}

impl From<&Grant> for SessionDefinition {
    /// Whoever holds such a token may enter, so there is no list.
    fn from(grant: &Grant) -> Self {
        let Grant { end_at, leader_id, duplicates, capacity, .. } = grant.clone();
        Self { end_at, leader_id, members: None, duplicates, capacity }
    }
}

/// A definition as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Rises with each change; 0 where the source has none. A live room never goes back to an older one.
    pub revision: u64,
    /// The definition.
    pub definition: SessionDefinition,
}

/// Why a definition is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDefinition {
    /// Not a plausible time.
    #[error("endAt must be a time in milliseconds since 1970")]
    EndAt,
    /// More than [`MAX_MEMBERS`].
    #[error("members must not list more than {MAX_MEMBERS} users")]
    TooManyMembers,
    /// Nobody could enter.
    #[error("capacity must be at least 1")]
    Capacity,
}

impl SessionDefinition {
    /// Checks what the types alone do not say.
    pub fn validate(&self) -> Result<(), InvalidDefinition> {
        if !(EARLIEST_END_MS..=LATEST_END_MS).contains(&self.end_at) {
            return Err(InvalidDefinition::EndAt);
        }
        if self.members.as_ref().is_some_and(|members| members.len() > MAX_MEMBERS) {
            return Err(InvalidDefinition::TooManyMembers);
        }
        if self.capacity == Some(0) {
            return Err(InvalidDefinition::Capacity);
        }
        Ok(())
    }

    /// The definition after a change.
    pub fn patched(self, patch: DefinitionPatch) -> Self {
        Self {
            end_at: patch.end_at.unwrap_or(self.end_at),
            leader_id: patch.leader_id.unwrap_or(self.leader_id),
            members: patch.members.unwrap_or(self.members),
            duplicates: patch.duplicates.unwrap_or(self.duplicates),
            capacity: patch.capacity.unwrap_or(self.capacity),
        }
    }

    /// Whether the user may enter.
    pub fn admits(&self, user: &UserId) -> bool {
        *user == self.leader_id || self.members.as_ref().is_none_or(|members| members.contains(user))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(json: &str) -> SessionDefinition {
        serde_json::from_str(json).unwrap()
    }

    fn user(id: &str) -> UserId {
        UserId::new(id).unwrap()
    }

    #[test]
    fn only_listed_users_and_the_leader_are_admitted() {
        let session = definition(r#"{"endAt": 1900000000000, "leaderId": "lea", "members": ["kim", 7]}"#);
        assert!(session.admits(&user("kim")));
        assert!(session.admits(&user("7")));
        assert!(session.admits(&user("lea")));
        assert!(!session.admits(&user("mallory")));
    }

    #[test]
    fn without_a_list_everybody_is_admitted() {
        assert!(definition(r#"{"endAt": 1900000000000, "leaderId": 1}"#).admits(&user("anybody")));
    }

    #[test]
    fn seconds_are_not_taken_for_milliseconds() {
        let session = definition(r#"{"endAt": 1900000000, "leaderId": 1}"#);
        assert_eq!(session.validate(), Err(InvalidDefinition::EndAt));
    }

    #[test]
    fn misspelt_members_are_refused() {
        assert!(
            serde_json::from_str::<SessionDefinition>(r#"{"endAt": 1, "leaderId": 1, "member": []}"#)
                .is_err()
        );
    }
}

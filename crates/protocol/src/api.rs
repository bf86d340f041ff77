//! What the HTTP API for operators takes and answers, beside definitions.

use serde::{Deserialize, Serialize};

use crate::{RoomId, UserId, session::Duplicates};

/// The longest notice, in characters.
pub const MAX_NOTICE_CHARS: usize = 2000;

/// The most rooms on one page.
pub const MAX_PAGE: u32 = 1000;

/// A room whose session is live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveRoom {
    /// The room.
    pub id: RoomId,
    /// The session.
    pub epoch: u64,
    /// When it started, in milliseconds since 1970.
    pub started_at: u64,
    /// When it ends.
    pub end_at: u64,
    /// How many are in it.
    pub count: u32,
}

/// One page of live rooms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveRooms {
    /// The rooms; in no order that means anything, but in the same one each time.
    pub rooms: Vec<LiveRoom>,
    /// What to ask for as `after` to get the next page; none if this is the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What is said to a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// Plain text; clients must show it as such.
    pub text: String,
}

impl Notice {
    /// Whether it has a length that can be shown.
    pub fn is_valid(&self) -> bool {
        !self.text.trim().is_empty() && self.text.chars().count() <= MAX_NOTICE_CHARS
    }
}

/// A change of a definition: what it names is replaced, and `null` takes away what may be missing (JSON Merge Patch,
/// RFC 7396).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DefinitionPatch {
    /// When the session ends.
    pub end_at: Option<u64>,
    /// Who leads it.
    pub leader_id: Option<UserId>,
    /// Who may enter.
    #[serde(default, deserialize_with = "even_null")]
    pub members: Option<Option<Vec<UserId>>>,
    /// What a second connection of a user means.
    pub duplicates: Option<Duplicates>,
    /// How many may be in the room.
    #[serde(default, deserialize_with = "even_null")]
    pub capacity: Option<Option<u32>>,
}

/// Tells `null` from what is not there.
fn even_null<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_told_from_what_is_not_there() {
        let patch = |json| serde_json::from_str::<DefinitionPatch>(json).unwrap();
        assert_eq!(patch("{}").capacity, None);
        assert_eq!(patch(r#"{"capacity": null}"#).capacity, Some(None));
        assert_eq!(patch(r#"{"capacity": 7}"#).capacity, Some(Some(7)));
    }

    #[test]
    fn a_notice_has_something_to_say_and_not_too_much() {
        let notice = |text: &str| Notice { text: text.to_owned() };
        assert!(notice("Five minutes left").is_valid());
        assert!(!notice(" \n").is_valid());
        assert!(!notice(&"x".repeat(MAX_NOTICE_CHARS + 1)).is_valid());
    }
}

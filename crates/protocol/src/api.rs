//! What the HTTP API for operators takes and answers, beside definitions.

use serde::{Deserialize, Serialize};

use crate::{ErrorCode, RoomId, UserId, definition::Duplicates};

/// The longest notice, in characters.
pub const MAX_NOTICE_CHARS: usize = 2000;

/// The most rooms on one page.
pub const MAX_PAGE: u32 = 1000;

/// A room whose session is live.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveRooms {
    /// The rooms; in no order that means anything, but in the same one each time.
    pub rooms: Vec<LiveRoom>,
    /// What to ask for as `after` to get the next page; none if this is the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// How things are in a room: what `room:state` tells, and who asks for its members.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomState {
    /// The room.
    pub group_id: RoomId,
    /// Everybody in it, in the order in which they came; left out of rooms above the roster limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Member>>,
    /// How many there are.
    pub count: u32,
    /// When the session ends.
    pub end_at: u64,
    /// How many milliseconds from now that is.
    pub remain_ms: u64,
    /// Who leads the session.
    pub leader_id: UserId,
    /// Who acts as host; nobody in an empty room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_id: Option<UserId>,
    /// The session.
    pub epoch: u64,
    /// The last event that this includes.
    pub seq: u64,
}

/// A user in a room.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// The user.
    pub user_id: UserId,
    /// The name that others see.
    pub user_name: String,
    /// The role, if the token named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_role: Option<String>,
    /// When they entered.
    pub joined_at: u64,
    /// Whether they have a connection.
    pub state: MemberState,
    /// Until when they may come back; only while reconnecting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_until: Option<u64>,
}

/// Whether a member has a connection.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MemberState {
    /// There is one.
    Present,
    /// It was lost, and the grace period runs.
    Reconnecting,
}

/// What a sweep of all shards did.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepReport {
    /// How many rooms were due.
    pub settled: u32,
    /// By how many milliseconds the first of them was overdue.
    pub late_ms: u64,
    /// In how many milliseconds something is due next, as far as is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_in_ms: Option<u64>,
}

/// Why a call was refused (Problem Details, RFC 9457).
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What the code means.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What was wrong this time.
    pub detail: String,
    /// What programs look at.
    pub code: ErrorCode,
}

/// What is said to a room.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// Plain text; clients must show it as such.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 2000, pattern = r"\S"))]
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DefinitionPatch {
    /// When the session ends.
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 1_000_000_000_000_u64, maximum = 99_999_999_999_999_u64)
    )]
    pub end_at: Option<u64>,
    /// Who leads it.
    pub leader_id: Option<UserId>,
    /// Who may enter.
    #[serde(default, deserialize_with = "even_null")]
    #[cfg_attr(feature = "openapi", schema(max_items = 10_000))]
    pub members: Option<Option<Vec<UserId>>>,
    /// What a second connection of a user means.
    pub duplicates: Option<Duplicates>,
    /// How many may be in the room.
    #[serde(default, deserialize_with = "even_null")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
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

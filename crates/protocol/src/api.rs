//! Requests and responses of the operators' HTTP API, beside definitions and attendance.

use serde::{Deserialize, Serialize};

use crate::{
    CommandId, ErrorCode, RoomId, UserId,
    chat::ChatAction,
    status::Status,
    text,
    timer::{Timer, TimerAction},
};

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
    /// When the session started, in milliseconds since 1970.
    pub started_at: u64,
    /// When the session ends.
    pub end_at: u64,
    /// The number of members.
    pub count: u32,
}

/// One page of live rooms.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveRooms {
    /// The rooms, in a meaningless but constant order.
    pub rooms: Vec<LiveRoom>,
    /// The value of `after` for the next page; none on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The state of a room: the payload of `room:state`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomState {
    /// The room.
    pub group_id: RoomId,
    /// The members, in the order of entering; absent in rooms above the roster limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Member>>,
    /// The number of members.
    pub count: u32,
    /// When the session ends.
    pub end_at: u64,
    /// The milliseconds until then.
    pub remain_ms: u64,
    /// The leader of the session, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leader_id: Option<UserId>,
    /// The current host; none in an empty room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_id: Option<UserId>,
    /// The time of Redis.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub now: u64,
    /// The timer, if one has been set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timer: Option<Timer>,
    /// The session.
    pub epoch: u64,
    /// The last event that this state includes.
    pub seq: u64,
}

/// A room and a page of its members.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomMembers {
    /// The room.
    #[serde(flatten)]
    pub room: RoomState,
    /// The value of `after` for the next page; none on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A member of a room.
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
    /// When the user entered.
    pub joined_at: u64,
    /// Whether the user has a connection.
    pub state: MemberState,
    /// Until when the user may return; only while reconnecting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_until: Option<u64>,
    /// What the member does at the moment, if the member says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// What the member works on, if the member says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goal: Option<String>,
}

/// Whether a member has a connection.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MemberState {
    /// The member has a connection.
    Present,
    /// The connection was lost, and the grace period runs.
    Reconnecting,
}

/// The result of a sweep of all shards.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepReport {
    /// The number of rooms that were due.
    pub settled: u32,
    /// How many milliseconds the first of them was overdue.
    pub late_ms: u64,
    /// The milliseconds until a room is due next, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_in_ms: Option<u64>,
}

/// A refusal (Problem Details, RFC 9457).
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The meaning of the code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The reason of this refusal.
    pub detail: String,
    /// The code, for programs.
    pub code: ErrorCode,
}

/// A notice to all members of a room.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// Plain text, which clients must not interpret. Control, bidirectional and invisible characters are left out.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 2000, pattern = r"\S"))]
    #[serde(deserialize_with = "text::deserialize_lines")]
    pub text: String,
}

/// An operator's command to the timer of a room.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerRequest {
    /// Names the command. The same command sent again has no second effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, min_length = 1, max_length = 128))]
    pub id: Option<CommandId>,
    /// What to do.
    #[serde(flatten)]
    pub action: TimerAction,
}

/// An operator's command to the chat of a room.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatRequest {
    /// Names the command. The same command sent again has no second effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, min_length = 1, max_length = 128))]
    pub id: Option<CommandId>,
    /// What to do. Operators neither send messages nor read them by a command.
    #[serde(flatten)]
    pub action: ChatAction,
}

impl Notice {
    /// Whether the text is not blank and not too long.
    pub fn is_valid(&self) -> bool {
        !self.text.trim().is_empty() && self.text.chars().count() <= MAX_NOTICE_CHARS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_cleaned() {
        let read = |json| serde_json::from_str::<Notice>(json).unwrap();
        assert_eq!(read(r#"{"text":"Now\u202e:\n\u001b[2Jgo"}"#).text, "Now:\n[2Jgo");
        assert!(!read(r#"{"text":"\u200b\u2028"}"#).is_valid());
    }

    #[test]
    fn a_notice_is_neither_blank_nor_too_long() {
        let notice = |text: &str| Notice { text: text.to_owned() };
        assert!(notice("Five minutes left").is_valid());
        assert!(!notice(" \n").is_valid());
        assert!(!notice(&"x".repeat(MAX_NOTICE_CHARS + 1)).is_valid());
    }
}

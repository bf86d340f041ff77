//! What the operators' API answers, as far as people are told of it.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A page of the list of live rooms.
#[derive(Deserialize)]
pub(super) struct RoomsPage {
    /// Each as it came, for programs.
    pub(super) rooms: Vec<Box<RawValue>>,
    /// Where the next page begins, if there is one.
    pub(super) next: Option<String>,
}

/// A live room.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LiveRoom {
    pub(super) id: String,
    pub(super) started_at: u64,
    pub(super) end_at: u64,
    pub(super) count: u64,
}

/// Who is in a room.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Roster {
    pub(super) group_id: String,
    pub(super) count: u64,
    pub(super) end_at: u64,
    pub(super) remain_ms: u64,
    pub(super) leader_id: String,
    pub(super) host_id: Option<String>,
    /// None when there are too many to list.
    pub(super) members: Option<Vec<Member>>,
}

/// One of them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Member {
    pub(super) user_id: String,
    pub(super) user_name: String,
    pub(super) user_role: Option<String>,
    pub(super) joined_at: u64,
    pub(super) state: String,
    pub(super) grace_until: Option<u64>,
}

/// Who was in a room.
#[derive(Deserialize)]
pub(super) struct Attendance {
    pub(super) attendees: Vec<Attendee>,
}

/// All that is known of one user.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attendee {
    pub(super) user_id: String,
    pub(super) user_name: String,
    pub(super) present_ms: u64,
    pub(super) drops: u32,
    pub(super) stays: Vec<Stay>,
}

/// One stay of a user.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stay {
    pub(super) entered_at: u64,
    pub(super) left_at: u64,
    /// None while the user is there.
    pub(super) ending: Option<String>,
}

/// Why something was refused (RFC 9457).
#[derive(Deserialize)]
pub(super) struct Problem {
    pub(super) code: String,
    pub(super) detail: Option<String>,
    pub(super) title: Option<String>,
}

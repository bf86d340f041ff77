//! The parts of the operators' API's responses that the commands show.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A page of the list of live rooms.
#[derive(Deserialize)]
pub(crate) struct RoomsPage {
    /// Each room as the API sent it, for `--json`.
    pub(crate) rooms: Vec<Box<RawValue>>,
    /// The cursor of the next page; none on the last page.
    pub(crate) next: Option<String>,
}

/// A live room.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LiveRoom {
    pub(crate) id: String,
    pub(crate) started_at: u64,
    pub(crate) end_at: u64,
    pub(crate) count: u64,
}

/// The state of a room, with its members.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Roster {
    pub(crate) group_id: String,
    pub(crate) count: u64,
    pub(crate) end_at: u64,
    pub(crate) remain_ms: u64,
    pub(crate) leader_id: String,
    pub(crate) host_id: Option<String>,
    /// None above the roster limit.
    pub(crate) members: Option<Vec<Member>>,
}

/// A member of a room.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Member {
    pub(crate) user_id: String,
    pub(crate) user_name: String,
    pub(crate) user_role: Option<String>,
    pub(crate) joined_at: u64,
    pub(crate) state: String,
    pub(crate) grace_until: Option<u64>,
}

/// The attendance of a room.
#[derive(Deserialize)]
pub(crate) struct Attendance {
    pub(crate) attendees: Vec<Attendee>,
}

/// The attendance of one user.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attendee {
    pub(crate) user_id: String,
    pub(crate) user_name: String,
    pub(crate) present_ms: u64,
    pub(crate) drops: u32,
    pub(crate) stays: Vec<Stay>,
}

/// One stay of a user.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stay {
    pub(crate) entered_at: u64,
    pub(crate) left_at: u64,
    /// None while the user is in the room.
    pub(crate) ending: Option<String>,
}

/// The reason why the API refused a call (RFC 9457).
#[derive(Deserialize)]
pub(crate) struct Problem {
    pub(crate) code: String,
    pub(crate) detail: Option<String>,
    pub(crate) title: Option<String>,
}

//! The attendance of a room: each member's stays.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{UserId, status::Status};

/// The attendance of a room.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Attendance {
    /// The attendees, in the order of their first stays.
    pub attendees: Vec<Attendee>,
}

/// All stays of one user.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attendee {
    /// The user, with the latest type of the id.
    pub user_id: UserId,
    /// The user's latest name.
    pub user_name: String,
    /// The sum over all stays.
    pub present_ms: u64,
    /// The part of it that counts as study: without the times of statuses that the deployment leaves out.
    pub study_ms: u64,
    /// The number of drops in all stays.
    pub drops: u32,
    /// The stays, oldest first.
    pub stays: Vec<Stay>,
}

/// One stay of a user, from entering to leaving. Times are milliseconds since 1970.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stay {
    /// The session.
    pub epoch: u64,
    /// When the user entered.
    pub entered_at: u64,
    /// When the user was last present; the current time for a present user.
    pub left_at: u64,
    /// How long the user was present, without the times of a lost connection.
    pub present_ms: u64,
    /// The number of lost connections, and of leaves after which the user came back within the grace period.
    pub drops: u32,
    /// How long the user had which status while present; only those that the user has set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub status_ms: BTreeMap<Status, u64>,
    /// How the stay ended; none while the user is in the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
}

/// How a stay ended.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ending {
    /// The user left.
    Left,
    /// The user did not return within the grace period.
    GraceExpired,
    /// An operator or a changed definition removed the user.
    Removed,
    /// The session ended.
    Ended,
}

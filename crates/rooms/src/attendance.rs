//! Who was in a room, from when to when.

use rollcall_protocol::UserId;
use serde::{Deserialize, Serialize};

/// How a stay ended.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ending {
    /// The member left.
    Left,
    /// A lost connection did not come back.
    GraceExpired,
    /// The member was put out.
    Removed,
    /// The session ended.
    Ended,
}

/// One stay of a member: from entering to leaving. Times are milliseconds since 1970.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stay {
    /// The member.
    #[serde(skip_serializing)]
    pub user_id: UserId,
    /// The name at that time.
    #[serde(skip_serializing)]
    pub user_name: String,
    /// The session.
    pub epoch: u64,
    /// When the member entered.
    pub entered_at: u64,
    /// When the member was last there; now, for one who is.
    pub left_at: u64,
    /// How long in all, without the times when the connection was lost.
    pub present_ms: u64,
    /// How often the connection was lost.
    pub drops: u32,
    /// How it ended; none while the member is in the room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
}

/// All that is known of one user.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attendee {
    /// The user.
    pub user_id: UserId,
    /// The name that was used last.
    pub user_name: String,
    /// How long in all.
    pub present_ms: u64,
    /// How often the connection was lost, in all.
    pub drops: u32,
    /// Each stay, the oldest first.
    pub stays: Vec<Stay>,
}

/// Who was in a room.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Attendance {
    /// In the order in which they first entered.
    pub attendees: Vec<Attendee>,
}

impl Attendance {
    /// Sums up stays, user by user.
    pub fn of(mut stays: Vec<Stay>) -> Self {
        stays.sort_by_key(|stay| stay.entered_at);
        let mut attendance = Self::default();
        let mut places = std::collections::HashMap::new();
        for stay in stays {
            let place = *places.entry(stay.user_id.clone()).or_insert_with(|| {
                attendance.attendees.push(Attendee {
                    user_id: stay.user_id.clone(),
                    user_name: String::new(),
                    present_ms: 0,
                    drops: 0,
                    stays: Vec::new(),
                });
                attendance.attendees.len() - 1
            });
            let attendee = &mut attendance.attendees[place];
            attendee.user_name.clone_from(&stay.user_name);
            attendee.present_ms += stay.present_ms;
            attendee.drops += stay.drops;
            attendee.stays.push(stay);
        }
        attendance
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stay(user: &str, name: &str, entered_at: u64, present_ms: u64) -> Stay {
        Stay {
            user_id: user.parse().unwrap(),
            user_name: name.to_owned(),
            epoch: 1,
            entered_at,
            left_at: entered_at + present_ms,
            present_ms,
            drops: 1,
            ending: Some(Ending::Left),
        }
    }

    #[test]
    fn stays_are_summed_up_user_by_user() {
        let attendance = Attendance::of(vec![
            stay("ben", "Ben", 5, 10),
            stay("kim", "Kim", 1, 2),
            stay("ben", "B.", 30, 7),
        ]);
        let [kim, ben] = attendance.attendees.as_slice() else { panic!("{attendance:?}") };
        assert_eq!((kim.user_id.as_str(), kim.stays.len()), ("kim", 1));
        assert_eq!((ben.user_name.as_str(), ben.present_ms, ben.drops, ben.stays.len()), ("B.", 17, 2, 2));
    }
}

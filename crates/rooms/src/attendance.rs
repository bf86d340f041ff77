//! Sums up the attendance of a room.

use std::collections::HashMap;

use rollcall_protocol::{
    UserId,
    attendance::{Attendance, Attendee, Stay},
};
use serde::Deserialize;

/// One stay with its user, from the attendance script.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StayRecord {
    /// The user.
    pub user_id: UserId,
    /// The user's name at that time.
    pub user_name: String,
    /// The stay.
    #[serde(flatten)]
    pub stay: Stay,
}

/// Sums up stays by user.
pub fn summarize(mut records: Vec<StayRecord>) -> Attendance {
    records.sort_by_key(|record| record.stay.entered_at);
    let mut attendees: Vec<Attendee> = Vec::new();
    let mut indices = HashMap::new();
    for StayRecord { user_id, user_name, stay } in records {
        let index = *indices.entry(user_id.clone()).or_insert_with(|| {
            attendees.push(Attendee {
                user_id: user_id.clone(),
                user_name: String::new(),
                present_ms: 0,
                drops: 0,
                stays: Vec::new(),
            });
            attendees.len() - 1
        });
        let attendee = &mut attendees[index];
        (attendee.user_id, attendee.user_name) = (user_id, user_name);
        attendee.present_ms += stay.present_ms;
        attendee.drops += stay.drops;
        attendee.stays.push(stay);
    }
    Attendance { attendees }
}

#[cfg(test)]
mod tests {
    use rollcall_protocol::attendance::Ending;

    use super::*;

    fn record(user: &str, name: &str, entered_at: u64, present_ms: u64) -> StayRecord {
        StayRecord {
            user_id: user.parse().unwrap(),
            user_name: name.to_owned(),
            stay: Stay {
                epoch: 1,
                entered_at,
                left_at: entered_at + present_ms,
                present_ms,
                drops: 1,
                ending: Some(Ending::Left),
            },
        }
    }

    #[test]
    fn stays_are_summed_up_by_user() {
        let attendance = summarize(vec![
            record("ben", "Ben", 5, 10),
            record("kim", "Kim", 1, 2),
            record("ben", "B.", 30, 7),
        ]);
        let [kim, ben] = attendance.attendees.as_slice() else { panic!("{attendance:?}") };
        assert_eq!((kim.user_id.as_str(), kim.stays.len()), ("kim", 1));
        assert_eq!((ben.user_name.as_str(), ben.present_ms, ben.drops, ben.stays.len()), ("B.", 17, 2, 2));
    }
}

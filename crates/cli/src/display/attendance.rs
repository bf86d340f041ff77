//! The attendance of a room.

use rollcall_protocol::attendance::{Attendance, Attendee};

use super::{MISSING, table};
use crate::time;

const HEADING: [&str; 8] = ["USER", "NAME", "PRESENT", "STUDY", "STAYS", "DROPS", "ENTERED", "LEFT"];

/// Formats attendance, one user a row.
pub(crate) fn attendance(attendance: Attendance) -> String {
    if attendance.attendees.is_empty() {
        return "Nobody was there.".to_owned();
    }
    table::columns(HEADING, attendance.attendees.into_iter().map(row))
}

/// Sums up the stays of one user.
fn row(attendee: Attendee) -> [String; 8] {
    let entered = attendee.stays.iter().map(|stay| stay.entered_at).min();
    let left = format_left(&attendee);
    [
        attendee.user_id.to_string(),
        attendee.user_name,
        time::format_duration(attendee.present_ms),
        time::format_duration(attendee.study_ms),
        attendee.stays.len().to_string(),
        attendee.drops.to_string(),
        entered.map_or_else(|| MISSING.to_owned(), time::format),
        left,
    ]
}

fn format_left(attendee: &Attendee) -> String {
    if attendee.stays.iter().any(|stay| stay.ending.is_none()) {
        return "is there".to_owned();
    }
    let left = attendee.stays.iter().map(|stay| stay.left_at).max();
    left.map_or_else(|| MISSING.to_owned(), time::format)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const AT: u64 = 1_795_456_800_000;

    fn stay(entered_at: u64, ending: Option<&str>) -> Value {
        let mut stay = json!({
            "epoch": 1, "enteredAt": entered_at, "leftAt": entered_at + 1000, "presentMs": 900, "drops": 1
        });
        if let Some(ending) = ending {
            stay["ending"] = ending.into();
        }
        stay
    }

    #[test]
    fn the_stays_of_a_user_are_summed_up() {
        let response = json!({"attendees": [
            {"userId": "kim", "userName": "Kim", "presentMs": 3_660_000, "studyMs": 3_600_000, "drops": 2,
                "stays": [stay(AT, Some("left")), stay(AT + 5000, Some("ended"))]},
            {"userId": "ben", "userName": "Ben", "presentMs": 1000, "studyMs": 1000, "drops": 0,
                "stays": [stay(AT, None)]}
        ]});
        assert_eq!(
            attendance(serde_json::from_value(response).unwrap()),
            "USER  NAME  PRESENT  STUDY  STAYS  DROPS  ENTERED               LEFT\n\
             kim   Kim   1h 1m    1h     2      2      2026-11-23T18:00:00Z  2026-11-23T18:00:06Z\n\
             ben   Ben   1s       1s     1      0      2026-11-23T18:00:00Z  is there"
        );
        assert_eq!(attendance(Attendance { attendees: vec![] }), "Nobody was there.");
    }
}

//! Tells people what the API answered.

use rollcall_protocol::{
    RoomId,
    definition::{Duplicates, SessionDefinition},
};

use super::{
    answer::{Attendance, Attendee, LiveRoom, Member, Roster},
    table,
    time::{now_ms, show as time, show_distance, show_duration},
};

/// What stands where there is nothing to say.
const NOTHING: &str = "-";

pub(super) fn defined(room: &RoomId, end_at: u64, is_new: bool) -> String {
    let what = if is_new { "is defined" } else { "is defined anew" };
    format!("The session of {room} {what}, until {}.", moment(end_at))
}

pub(super) fn moved(room: &RoomId, end_at: u64) -> String {
    format!("The session of {room} now ends at {}.", moment(end_at))
}

fn moment(ms: u64) -> String {
    format!("{} ({})", time(ms), show_distance(ms, now_ms()))
}

pub(super) fn definition(room: &RoomId, definition: SessionDefinition) -> String {
    let duplicates = match definition.duplicates {
        Duplicates::Refuse => "refuse",
        Duplicates::Takeover => "takeover",
        Duplicates::Share => "share",
    };
    let members = definition.members.map(|members| {
        let ids: Vec<_> = members.iter().map(|id| id.as_str()).collect();
        if ids.is_empty() { "nobody else".to_owned() } else { ids.join(", ") }
    });
    let capacity = definition.capacity.map(|capacity| capacity.to_string());
    table::properties([
        ("room", room.to_string()),
        ("ends", moment(definition.end_at)),
        ("leader", definition.leader_id.to_string()),
        ("members", members.unwrap_or_else(|| "everybody".to_owned())),
        ("capacity", capacity.unwrap_or_else(|| "unlimited".to_owned())),
        ("duplicates", duplicates.to_owned()),
    ])
}

pub(super) fn rooms(rooms: Vec<LiveRoom>) -> String {
    if rooms.is_empty() {
        return "No session is live.".to_owned();
    }
    let now_ms = now_ms();
    let row = |room: LiveRoom| {
        let ends_in = show_distance(room.end_at, now_ms);
        [room.id, room.count.to_string(), time(room.started_at), time(room.end_at), ends_in]
    };
    table::columns(["ROOM", "MEMBERS", "STARTED", "ENDS", ""], rooms.into_iter().map(row))
}

pub(super) fn roster(roster: Roster) -> String {
    let summary = table::properties([
        ("room", roster.group_id),
        ("ends", format!("{} (in {})", time(roster.end_at), show_duration(roster.remain_ms))),
        ("leader", roster.leader_id),
        ("host", roster.host_id.unwrap_or_else(|| NOTHING.to_owned())),
        ("members", roster.count.to_string()),
    ]);
    let row = |member: Member| {
        let state = match member.grace_until {
            Some(until) => format!("{} until {}", member.state, time(until)),
            None => member.state,
        };
        let role = member.user_role.unwrap_or_else(|| NOTHING.to_owned());
        [member.user_id, member.user_name, role, time(member.joined_at), state]
    };
    match roster.members {
        Some(members) if !members.is_empty() => {
            let heading = ["USER", "NAME", "ROLE", "JOINED", "STATE"];
            format!("{summary}\n\n{}", table::columns(heading, members.into_iter().map(row)))
        }
        _ => summary,
    }
}

pub(super) fn attendance(attendance: Attendance) -> String {
    if attendance.attendees.is_empty() {
        return "Nobody was there.".to_owned();
    }
    let row = |attendee: Attendee| {
        let entered = attendee.stays.iter().map(|stay| stay.entered_at).min();
        let is_there = attendee.stays.iter().any(|stay| stay.ending.is_none());
        let left = attendee.stays.iter().map(|stay| stay.left_at).max();
        [
            attendee.user_id,
            attendee.user_name,
            show_duration(attendee.present_ms),
            attendee.stays.len().to_string(),
            attendee.drops.to_string(),
            entered.map_or_else(|| NOTHING.to_owned(), time),
            if is_there { "is there".to_owned() } else { left.map_or_else(|| NOTHING.to_owned(), time) },
        ]
    };
    let heading = ["USER", "NAME", "PRESENT", "STAYS", "DROPS", "ENTERED", "LEFT"];
    table::columns(heading, attendance.attendees.into_iter().map(row))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const AT: u64 = 1_795_456_800_000;

    #[test]
    fn a_definition_is_shown_line_by_line() {
        let room = RoomId::new("algebra").unwrap();
        let show = |json| definition(&room, serde_json::from_value(json).unwrap());
        let short = show(json!({"endAt": AT, "leaderId": "lea"}));
        assert!(short.starts_with("room        algebra\nends        2026-11-23T18:00:00Z ("), "{short}");
        assert!(
            short.ends_with(
                "leader      lea\nmembers     everybody\ncapacity    unlimited\nduplicates  refuse"
            )
        );
        let long = show(json!({
            "endAt": AT, "leaderId": "lea", "members": ["kim", "ben"], "capacity": 3, "duplicates": "share"
        }));
        assert!(long.ends_with("members     kim, ben\ncapacity    3\nduplicates  share"), "{long}");
    }

    #[test]
    fn live_rooms_are_shown_row_by_row() {
        let room = json!({"id": "algebra", "epoch": 1, "startedAt": AT, "endAt": AT + 1000, "count": 12});
        let shown = rooms(vec![serde_json::from_value(room).unwrap()]);
        let rows: Vec<_> = shown.lines().collect();
        assert_eq!(rows[0], "ROOM     MEMBERS  STARTED               ENDS");
        assert!(
            rows[1].starts_with("algebra  12       2026-11-23T18:00:00Z  2026-11-23T18:00:01Z  "),
            "{shown}"
        );
        assert_eq!(rooms(vec![]), "No session is live.");
    }

    #[test]
    fn a_roster_is_shown_with_who_is_reconnecting() {
        let mut answer = json!({
            "groupId": "algebra", "count": 2, "endAt": AT, "remainMs": 90_000, "leaderId": "lea", "epoch": 1,
            "seq": 3, "members": [
                {"userId": "kim", "userName": "Kim", "joinedAt": AT, "state": "present"},
                {"userId": "ben", "userName": "Ben", "userRole": "tutor", "joinedAt": AT,
                    "state": "reconnecting", "graceUntil": AT + 30_000}
            ]
        });
        let shown = roster(serde_json::from_value(answer.clone()).unwrap());
        assert_eq!(
            shown,
            "room     algebra\n\
             ends     2026-11-23T18:00:00Z (in 1m 30s)\n\
             leader   lea\n\
             host     -\n\
             members  2\n\n\
             USER  NAME  ROLE   JOINED                STATE\n\
             kim   Kim   -      2026-11-23T18:00:00Z  present\n\
             ben   Ben   tutor  2026-11-23T18:00:00Z  reconnecting until 2026-11-23T18:00:30Z"
        );
        answer.as_object_mut().unwrap().remove("members");
        let shown = roster(serde_json::from_value(answer).unwrap());
        assert!(shown.ends_with("members  2"), "{shown}");
    }

    #[test]
    fn attendance_is_summed_up() {
        let stay = |entered_at: u64, ending: Option<&str>| {
            let mut stay = json!({
                "epoch": 1, "enteredAt": entered_at, "leftAt": entered_at + 1000, "presentMs": 900, "drops": 1
            });
            if let Some(ending) = ending {
                stay["ending"] = ending.into();
            }
            stay
        };
        let answer = json!({"attendees": [
            {"userId": "kim", "userName": "Kim", "presentMs": 3_660_000, "drops": 2,
                "stays": [stay(AT, Some("left")), stay(AT + 5000, Some("ended"))]},
            {"userId": "ben", "userName": "Ben", "presentMs": 1000, "drops": 0, "stays": [stay(AT, None)]}
        ]});
        assert_eq!(
            attendance(serde_json::from_value(answer).unwrap()),
            "USER  NAME  PRESENT  STAYS  DROPS  ENTERED               LEFT\n\
             kim   Kim   1h 1m    2      2      2026-11-23T18:00:00Z  2026-11-23T18:00:06Z\n\
             ben   Ben   1s       1      0      2026-11-23T18:00:00Z  is there"
        );
        assert_eq!(attendance(Attendance { attendees: vec![] }), "Nobody was there.");
    }
}

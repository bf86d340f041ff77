//! The members of a room.

use rollcall_protocol::{
    api::{Member, MemberState, RoomState},
    status::Status,
};

use super::{display_or_missing, table};
use crate::time;

const HEADING: [&str; 7] = ["USER", "NAME", "ROLE", "JOINED", "STATE", "STATUS", "GOAL"];

/// Formats the state of a room, and its members if the API listed them.
pub(crate) fn roster(room: RoomState) -> String {
    let members = room.members.unwrap_or_default();
    let summary = table::properties([
        ("room", room.group_id.to_string()),
        ("ends", format!("{} (in {})", time::format(room.end_at), time::format_duration(room.remain_ms))),
        ("leader", display_or_missing(room.leader_id)),
        ("host", display_or_missing(room.host_id)),
        ("members", room.count.to_string()),
    ]);
    if members.is_empty() {
        return summary;
    }
    format!("{summary}\n\n{}", table::columns(HEADING, members.into_iter().map(row)))
}

fn row(member: Member) -> [String; 7] {
    let state = match member.state {
        MemberState::Present => "present",
        MemberState::Reconnecting => "reconnecting",
    };
    let state = match member.grace_until {
        Some(until) => format!("{state} until {}", time::format(until)),
        None => state.to_owned(),
    };
    [
        member.user_id.to_string(),
        member.user_name,
        display_or_missing(member.user_role),
        time::format(member.joined_at),
        state,
        display_or_missing(member.status.map(Status::as_str)),
        display_or_missing(member.goal),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const AT: u64 = 1_795_456_800_000;

    fn display(json: Value) -> String {
        roster(serde_json::from_value(json).unwrap())
    }

    #[test]
    fn members_are_shown_with_their_state() {
        let shown = display(json!({
            "groupId": "algebra", "count": 2, "endAt": AT, "remainMs": 90_000, "leaderId": "lea", "epoch": 1,
            "seq": 3, "members": [
                {"userId": "kim", "userName": "Kim", "joinedAt": AT, "state": "present", "status": "break",
                    "goal": "Chapter 3"},
                {"userId": "ben", "userName": "Ben", "userRole": "tutor", "joinedAt": AT,
                    "state": "reconnecting", "graceUntil": AT + 30_000}
            ]
        }));
        assert_eq!(
            shown,
            "room     algebra\n\
             ends     2026-11-23T18:00:00Z (in 1m 30s)\n\
             leader   lea\n\
             host     -\n\
             members  2\n\n\
             USER  NAME  ROLE   JOINED                STATE                                    STATUS  GOAL\n\
             kim   Kim   -      2026-11-23T18:00:00Z  present                                  break   Chapter 3\n\
             ben   Ben   tutor  2026-11-23T18:00:00Z  reconnecting until 2026-11-23T18:00:30Z  -       -"
        );
    }

    #[test]
    fn without_a_list_only_the_number_of_members_is_shown() {
        let shown = display(json!({
            "groupId": "algebra", "count": 2000, "endAt": AT, "remainMs": 90_000, "leaderId": "lea",
            "hostId": "lea", "epoch": 1, "seq": 3
        }));
        assert!(shown.ends_with("host     lea\nmembers  2000"), "{shown}");
    }
}

//! The list of live rooms.

use rollcall_protocol::api::LiveRoom;

use super::table;
use crate::time::{self, now_ms};

/// Formats live rooms, one a row.
pub(crate) fn rooms(rooms: Vec<LiveRoom>) -> String {
    if rooms.is_empty() {
        return "No session is live.".to_owned();
    }
    let now_ms = now_ms();
    let rows = rooms.into_iter().map(|room| row(room, now_ms));
    table::columns(["ROOM", "MEMBERS", "STARTED", "ENDS", ""], rows)
}

fn row(room: LiveRoom, now_ms: u64) -> [String; 5] {
    let LiveRoom { id, started_at, end_at, count, .. } = room;
    let ends_in = time::format_relative(end_at, now_ms);
    [id.to_string(), count.to_string(), time::format(started_at), time::format(end_at), ends_in]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const AT: u64 = 1_795_456_800_000;

    #[test]
    fn each_room_is_a_row() {
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
}

//! The definition of a session, and changes of it.

use rollcall_protocol::{
    RoomId, UserId,
    command::Feature,
    definition::{Duplicates, SessionDefinition, TimerBy},
};

use super::{display_or_missing, table};
use crate::time::{self, now_ms};

/// Reports that a definition was created or replaced.
pub(crate) fn definition_saved(room: &RoomId, end_at: u64, is_new: bool) -> String {
    let what = if is_new { "is defined" } else { "is defined anew" };
    format!("The session of {room} {what}, until {}.", format_end(end_at))
}

/// Reports that the end of a session was moved.
pub(crate) fn end_moved(room: &RoomId, end_at: u64) -> String {
    format!("The session of {room} now ends at {}.", format_end(end_at))
}

/// Formats a definition, one property a line.
pub(crate) fn definition(room: &RoomId, definition: SessionDefinition) -> String {
    let capacity = definition.capacity.map(|capacity| capacity.to_string());
    table::properties([
        ("room", room.to_string()),
        ("ends", format_end(definition.end_at)),
        ("leader", display_or_missing(definition.leader_id)),
        ("members", format_members(definition.members.as_deref())),
        ("capacity", capacity.unwrap_or_else(|| "unlimited".to_owned())),
        ("duplicates", format_duplicates(definition.duplicates).to_owned()),
        ("timer by", format_timer_by(definition.timer_by).to_owned()),
        ("features", format_features(definition.features.as_deref())),
    ])
}

fn format_end(ms: u64) -> String {
    format!("{} ({})", time::format(ms), time::format_relative(ms, now_ms()))
}

fn format_members(members: Option<&[UserId]>) -> String {
    match members {
        None => "everybody".to_owned(),
        Some([]) => "nobody else".to_owned(),
        Some(members) => members.iter().map(UserId::as_str).collect::<Vec<_>>().join(", "),
    }
}

fn format_duplicates(duplicates: Duplicates) -> &'static str {
    match duplicates {
        Duplicates::Refuse => "refuse",
        Duplicates::Takeover => "takeover",
        Duplicates::Share => "share",
    }
}

fn format_timer_by(timer_by: TimerBy) -> &'static str {
    match timer_by {
        TimerBy::Leader => "leader",
        TimerBy::Host => "host",
        TimerBy::Anyone => "anyone",
    }
}

fn format_features(features: Option<&[Feature]>) -> String {
    match features {
        None => "all".to_owned(),
        Some([]) => "none".to_owned(),
        Some(features) => features.iter().map(|feature| feature.as_str()).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const AT: u64 = 1_795_456_800_000;

    fn display(json: Value) -> String {
        definition(&RoomId::new("algebra").unwrap(), serde_json::from_value(json).unwrap())
    }

    #[test]
    fn optional_properties_have_words_for_their_defaults() {
        let shown = display(json!({"endAt": AT, "leaderId": "lea"}));
        assert!(shown.starts_with("room        algebra\nends        2026-11-23T18:00:00Z ("), "{shown}");
        let rest = "leader      lea\nmembers     everybody\ncapacity    unlimited\nduplicates  refuse\ntimer by    host\nfeatures    all";
        assert!(shown.ends_with(rest), "{shown}");
    }

    #[test]
    fn members_and_capacity_are_shown() {
        let shown = display(json!({
            "endAt": AT, "leaderId": "lea", "members": ["kim", "ben"], "capacity": 3, "duplicates": "share",
            "timerBy": "anyone", "features": ["timer"]
        }));
        assert!(shown.ends_with("members     kim, ben\ncapacity    3\nduplicates  share\ntimer by    anyone\nfeatures    timer"), "{shown}");
        let shown = display(json!({"endAt": AT, "members": []}));
        assert!(shown.contains("\nleader      -\n"), "{shown}");
        assert!(shown.contains("\nmembers     nobody else\n"), "{shown}");
    }
}

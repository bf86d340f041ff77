//! What members say about themselves: a status, and a goal.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    UserId,
    command::{Action, MemberCommand},
    event::EventKind,
    json, text,
};

/// The longest goal, in characters.
pub const MAX_GOAL_CHARS: usize = 200;

/// What a member does at the moment.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// Studies.
    Focusing,
    /// Has a break.
    Break,
    /// Is not there.
    Away,
}

impl Status {
    /// All statuses.
    pub const ALL: &[Self] = &[Self::Focusing, Self::Break, Self::Away];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Focusing => "focusing",
            Self::Break => "break",
            Self::Away => "away",
        }
    }

    /// Reads names separated by white space.
    pub fn parse_list(names: &str) -> Result<Vec<Self>, UnknownStatus> {
        let parse = |name: &str| {
            let known = Self::ALL.iter().copied().find(|status| status.as_str() == name);
            known.ok_or_else(|| UnknownStatus(name.to_owned()))
        };
        names.split_whitespace().map(parse).collect()
    }
}

/// There is no status of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no status {0:?}")]
pub struct UnknownStatus(String);

/// One line about what a member works on. Hidden characters are removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Goal(String);

/// A goal is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("goal must have at most {MAX_GOAL_CHARS} characters")]
pub struct GoalTooLong;

impl Goal {
    /// Cleans a text. A text without a visible character is no goal.
    pub fn clean(text: &str) -> Result<Option<Self>, GoalTooLong> {
        let line = text::clean_line(text).trim().to_owned();
        if line.chars().count() > MAX_GOAL_CHARS {
            return Err(GoalTooLong);
        }
        Ok((!line.is_empty()).then_some(Self(line)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a member changes. A field that is absent stays as it is, and `null` removes what was there.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StatusUpdate {
    /// The status.
    #[serde(
        default,
        deserialize_with = "json::deserialize_present",
        skip_serializing_if = "Option::is_none"
    )]
    pub status: Option<Option<Status>>,
    /// What the member works on. An empty text is no goal.
    #[serde(default, deserialize_with = "deserialize_goal", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, max_length = 200))]
    pub goal: Option<Option<Goal>>,
}

fn deserialize_goal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Goal>>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let goal = text.as_deref().map_or(Ok(None), Goal::clean);
    goal.map(Some).map_err(serde::de::Error::custom)
}

/// A change of a member's own status and goal.
pub type StatusCommand = MemberCommand<StatusAction>;

/// What to do. The name is that of the event that clients send.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", content = "data")]
pub enum StatusAction {
    /// Change the status, the goal or both.
    #[serde(rename = "member:update")]
    Update(StatusUpdate),
}

impl Action for StatusAction {
    const KIND: EventKind = EventKind::Status;
}

/// The data of the ack of `member:update`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusAck {
    /// The member.
    pub user_id: UserId,
    /// The member's name.
    pub user_name: String,
    /// The status after the command, if the member has said one.
    pub status: Option<Status>,
    /// The goal after the command, if the member has said one.
    pub goal: Option<String>,
    /// The session.
    pub epoch: u64,
    /// The last event that the ack includes.
    pub seq: u64,
    /// The time of Redis, in milliseconds since 1970.
    pub now: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data: &str) -> Result<StatusUpdate, String> {
        let json = format!(r#"{{"command":"member:update","data":{data}}}"#);
        let StatusAction::Update(update) = serde_json::from_str(&json).map_err(|error| error.to_string())?;
        Ok(update)
    }

    fn goal(text: &str) -> Option<Goal> {
        Goal::clean(text).unwrap()
    }

    #[test]
    fn what_is_absent_stays_and_null_or_nothing_visible_removes() {
        let unchanged = StatusUpdate::default();
        assert_eq!(read("{}"), Ok(unchanged.clone()));
        assert_eq!(read(r#"{"id":"command-1"}"#), Ok(unchanged.clone()));
        let away = StatusUpdate { status: Some(Some(Status::Away)), ..unchanged.clone() };
        assert_eq!(read(r#"{"status":"away"}"#), Ok(away));
        let nothing = StatusUpdate { status: Some(None), goal: Some(None) };
        assert_eq!(read(r#"{"status":null,"goal":null}"#), Ok(nothing.clone()));
        for text in ["", "  ", "\\u200b", "\\n"] {
            assert_eq!(read(&format!(r#"{{"status":null,"goal":"{text}"}}"#)), Ok(nothing.clone()), "{text}");
        }
    }

    #[test]
    fn a_goal_is_one_line_without_hidden_characters() {
        let update = read(r#"{"goal":" Chapter 3\nand \u202e4 "}"#).unwrap();
        assert_eq!(update.goal, Some(goal("Chapter 3 and 4")));
        let longest = "목".repeat(MAX_GOAL_CHARS);
        assert_eq!(read(&format!(r#"{{"goal":" {longest} "}}"#)).unwrap().goal, Some(goal(&longest)));
        let error = read(&format!(r#"{{"goal":"{longest}!"}}"#)).unwrap_err();
        assert!(error.contains("at most 200 characters"), "{error}");
    }

    #[test]
    fn what_is_no_status_is_refused_by_name() {
        for (data, reason) in [
            (r#"{"status":"asleep"}"#, "focusing"),
            (r#"{"status":7}"#, ""),
            (r#"{"status":["away"]}"#, ""),
            (r#"{"goal":7}"#, "string"),
            (r#"{"goal":{}}"#, "string"),
            ("null", ""),
        ] {
            let error = read(data).unwrap_err();
            assert!(error.contains(reason), "{data}: {error}");
        }
    }

    #[test]
    fn a_list_of_statuses_names_each() {
        assert_eq!(Status::parse_list(" break  away"), Ok(vec![Status::Break, Status::Away]));
        assert_eq!(Status::parse_list("lunch").unwrap_err().to_string(), r#"there is no status "lunch""#);
        for &status in Status::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
    }

    #[test]
    fn a_command_reads_back() {
        let json = r#"{"roomId":"r","userId":"7","entryId":"e","commandId":"c","command":"member:update","data":{"status":"break","goal":null}}"#;
        let command: StatusCommand = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&command).unwrap(), json);
    }
}

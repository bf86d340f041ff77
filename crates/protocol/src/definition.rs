//! The definition of a session: its members, its leader and its end.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value;

use crate::{RoomId, UserId, command::Feature, json};

/// The longest list of members that a definition may hold.
pub const MAX_MEMBERS: usize = 10_000;

/// The earliest end of a session. Times before this (2001, in milliseconds) are seconds mistaken for milliseconds.
pub const EARLIEST_END_MS: u64 = 1_000_000_000_000;

/// The latest end of a session. Redis's Lua writes numbers with 14 digits, which last until the year 5138.
pub const LATEST_END_MS: u64 = 99_999_999_999_999;

/// A room's session, as the study service defines it.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionDefinition {
    /// When the session ends, in milliseconds since 1970.
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 1_000_000_000_000_u64, maximum = 99_999_999_999_999_u64)
    )]
    pub end_at: u64,
    /// The leader, who may always enter. Without it, or with `null`, the room has no leader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader_id: Option<UserId>,
    /// The users who may enter; without this list, every user with a valid token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_items = 10_000))]
    pub members: Option<Vec<UserId>>,
    /// What happens when a present user connects again.
    #[serde(default)]
    pub duplicates: Duplicates,
    /// The most members at once; the leader may exceed it. Without it, there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub capacity: Option<u32>,
    /// Who may set the timer of the room, beside operators.
    #[serde(default, skip_serializing_if = "is_default")]
    pub timer_by: TimerBy,
    /// The features that the session uses, of those that the deployment has; without this list, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<Feature>>,
}

/// Who may set the timer of a room, beside operators.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TimerBy {
    /// Only the leader. In a room without a leader, nobody.
    Leader,
    /// The current host.
    #[default]
    Host,
    /// Every member.
    Anyone,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What happens when a present user connects again without the resume token of the first connection.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Duplicates {
    /// Rollcall refuses the new connection with `ALREADY_JOINED`.
    #[default]
    Refuse,
    /// The new connection replaces the old connection, which Rollcall closes.
    Takeover,
    /// Both connections stay. The user is present while at least one connection lasts.
    Share,
}

/// A change of a definition (JSON Merge Patch, RFC 7396): named members are replaced, and `null` removes a member.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DefinitionPatch {
    /// When the session ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 1_000_000_000_000_u64, maximum = 99_999_999_999_999_u64)
    )]
    pub end_at: Option<u64>,
    /// The leader; `null` leaves the room without one.
    #[serde(
        default,
        deserialize_with = "json::deserialize_present",
        skip_serializing_if = "Option::is_none"
    )]
    pub leader_id: Option<Option<UserId>>,
    /// The users who may enter; `null` admits everybody.
    #[serde(
        default,
        deserialize_with = "json::deserialize_present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(max_items = 10_000))]
    pub members: Option<Option<Vec<UserId>>>,
    /// What happens when a present user connects again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicates: Option<Duplicates>,
    /// The most members at once; `null` removes the limit.
    #[serde(
        default,
        deserialize_with = "json::deserialize_present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub capacity: Option<Option<u32>>,
    /// Who may set the timer of the room, beside operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timer_by: Option<TimerBy>,
    /// The features that the session uses; `null` for all.
    #[serde(
        default,
        deserialize_with = "json::deserialize_present",
        skip_serializing_if = "Option::is_none"
    )]
    pub features: Option<Option<Vec<Feature>>>,
}

/// The session that a token lets its user enter, for platforms that store no definitions in Rollcall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// The only room that the token admits to.
    pub room: RoomId,
    /// When the session ends, in milliseconds since 1970.
    pub end_at: u64,
    /// The leader, if the room has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader_id: Option<UserId>,
    /// What happens when a present user connects again.
    #[serde(default)]
    pub duplicates: Duplicates,
    /// The most members at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    /// Who may set the timer of the room, beside operators.
    #[serde(default, skip_serializing_if = "is_default")]
    pub timer_by: TimerBy,
    /// The features that the session uses, of those that the deployment has; without this list, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<Feature>>,
}

impl From<&Grant> for SessionDefinition {
    /// Every holder of such a token may enter, so the definition lists no members.
    fn from(grant: &Grant) -> Self {
        let Grant { end_at, leader_id, duplicates, capacity, timer_by, features, .. } = grant.clone();
        Self { end_at, leader_id, members: None, duplicates, capacity, timer_by, features }
    }
}

/// A definition with its revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredDefinition {
    /// Rises with each change; 0 where the source has no revisions. A live room never returns to an older revision.
    pub revision: u64,
    /// The definition. Fields that another version of Rollcall has stored are ignored.
    #[serde(deserialize_with = "deserialize_known_fields")]
    pub definition: SessionDefinition,
}

/// The fields of a definition.
const FIELDS: [&str; 7] = ["endAt", "leaderId", "members", "duplicates", "capacity", "timerBy", "features"];

/// Reads a definition that was checked when it was stored. An operator's request with an unknown field is refused, while
/// a stored definition must stay readable for instances of the app that are not updated yet.
fn deserialize_known_fields<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<SessionDefinition, D::Error> {
    let mut fields = serde_json::Map::deserialize(deserializer)?;
    fields.retain(|name, _| FIELDS.contains(&name.as_str()));
    SessionDefinition::deserialize(Value::Object(fields)).map_err(D::Error::custom)
}

/// A definition breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDefinition {
    /// `endAt` is not a plausible time.
    #[error("endAt must be a time in milliseconds since 1970")]
    EndAt,
    /// The list holds more than [`MAX_MEMBERS`] users.
    #[error("members must not list more than {MAX_MEMBERS} users")]
    TooManyMembers,
    /// The capacity is 0.
    #[error("capacity must be at least 1")]
    Capacity,
}

impl SessionDefinition {
    /// A session without a leader, open to everybody, and with the defaults of all other terms.
    pub fn until(end_at: u64) -> Self {
        Self {
            end_at,
            leader_id: None,
            members: None,
            duplicates: Duplicates::default(),
            capacity: None,
            timer_by: TimerBy::default(),
            features: None,
        }
    }

    /// Checks the rules that the types do not express.
    pub fn validate(&self) -> Result<(), InvalidDefinition> {
        if !(EARLIEST_END_MS..=LATEST_END_MS).contains(&self.end_at) {
            return Err(InvalidDefinition::EndAt);
        }
        if self.members.as_ref().is_some_and(|members| members.len() > MAX_MEMBERS) {
            return Err(InvalidDefinition::TooManyMembers);
        }
        if self.capacity == Some(0) {
            return Err(InvalidDefinition::Capacity);
        }
        Ok(())
    }

    /// Applies a change.
    pub fn patched(self, patch: DefinitionPatch) -> Self {
        Self {
            end_at: patch.end_at.unwrap_or(self.end_at),
            leader_id: patch.leader_id.unwrap_or(self.leader_id),
            members: patch.members.unwrap_or(self.members),
            duplicates: patch.duplicates.unwrap_or(self.duplicates),
            capacity: patch.capacity.unwrap_or(self.capacity),
            timer_by: patch.timer_by.unwrap_or(self.timer_by),
            features: patch.features.unwrap_or(self.features),
        }
    }

    /// Whether the user may enter.
    pub fn admits(&self, user: &UserId) -> bool {
        self.leader_id.as_ref() == Some(user)
            || self.members.as_ref().is_none_or(|members| members.contains(user))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(json: &str) -> SessionDefinition {
        serde_json::from_str(json).unwrap()
    }

    fn user(id: &str) -> UserId {
        UserId::new(id).unwrap()
    }

    #[test]
    fn a_stored_definition_of_a_later_version_stays_readable() {
        let full = definition(
            r#"{"endAt":1790000000000,"leaderId":7,"members":["a"],"duplicates":"share","capacity":2,"timerBy":"anyone","features":["timer"]}"#,
        );
        let mut stored =
            serde_json::to_value(StoredDefinition { revision: 1, definition: full.clone() }).unwrap();
        let fields = stored["definition"].as_object_mut().unwrap();
        let mut names: Vec<_> = fields.keys().map(String::as_str).collect();
        let mut known = FIELDS;
        names.sort_unstable();
        known.sort_unstable();
        assert_eq!(names, known, "every field is known");
        fields.insert("addedLater".to_owned(), Value::Bool(true));
        assert!(serde_json::from_value::<SessionDefinition>(stored["definition"].clone()).is_err());
        let read: StoredDefinition = serde_json::from_value(stored).unwrap();
        assert_eq!(read, StoredDefinition { revision: 1, definition: full });
    }

    #[test]
    fn a_definition_has_limits() {
        let with_members = |count| SessionDefinition {
            members: Some((0..count).map(|number| user(&format!("u{number}"))).collect()),
            ..definition(r#"{"endAt":1790000000000}"#)
        };
        assert_eq!(with_members(MAX_MEMBERS - 1).validate(), Ok(()));
        assert_eq!(with_members(MAX_MEMBERS).validate(), Ok(()));
        assert_eq!(with_members(MAX_MEMBERS + 1).validate(), Err(InvalidDefinition::TooManyMembers));
        let with_capacity = |capacity| SessionDefinition {
            capacity: Some(capacity),
            ..definition(r#"{"endAt":1790000000000}"#)
        };
        assert_eq!(with_capacity(0).validate(), Err(InvalidDefinition::Capacity));
        assert_eq!(with_capacity(1).validate(), Ok(()));
    }

    #[test]
    fn what_is_usual_is_not_written() {
        let written = |json| serde_json::to_value(definition(json)).unwrap();
        let usual = written(r#"{"endAt":1790000000000,"timerBy":"host"}"#);
        assert_eq!(usual.get("timerBy"), None, "{usual}");
        assert_eq!(written(r#"{"endAt":1790000000000,"timerBy":"leader"}"#)["timerBy"], "leader");
    }

    #[test]
    fn null_differs_from_an_absent_member_in_both_directions() {
        let patch = |json| serde_json::from_str::<DefinitionPatch>(json).unwrap();
        assert_eq!(patch("{}").capacity, None);
        assert_eq!(patch(r#"{"capacity": null}"#).capacity, Some(None));
        assert_eq!(patch(r#"{"capacity": 7}"#).capacity, Some(Some(7)));
        for json in [
            "{}",
            r#"{"leaderId":null}"#,
            r#"{"leaderId":8}"#,
            r#"{"capacity":null}"#,
            r#"{"endAt":1900000000000,"members":["kim"]}"#,
        ] {
            assert_eq!(serde_json::to_string(&patch(json)).unwrap(), json);
        }
    }

    #[test]
    fn only_listed_users_and_the_leader_are_admitted() {
        let session = definition(r#"{"endAt": 1900000000000, "leaderId": "lea", "members": ["kim", 7]}"#);
        assert!(session.admits(&user("kim")));
        assert!(session.admits(&user("7")));
        assert!(session.admits(&user("lea")));
        assert!(!session.admits(&user("mallory")));
    }

    #[test]
    fn without_a_list_everybody_is_admitted() {
        assert!(definition(r#"{"endAt": 1900000000000, "leaderId": 1}"#).admits(&user("anybody")));
    }

    #[test]
    fn a_room_may_have_no_leader() {
        let leaderless = definition(r#"{"endAt": 1900000000000, "members": ["kim"]}"#);
        assert_eq!(
            definition(r#"{"endAt": 1900000000000, "leaderId": null, "members": ["kim"]}"#),
            leaderless
        );
        assert!(leaderless.admits(&user("kim")) && !leaderless.admits(&user("lea")));
        let patch = |json| serde_json::from_str::<DefinitionPatch>(json).unwrap();
        let led = leaderless.clone().patched(patch(r#"{"leaderId": 8}"#));
        assert_eq!(led.leader_id, Some(user("8")));
        assert_eq!(led.clone().patched(patch("{}")), led);
        assert_eq!(led.patched(patch(r#"{"leaderId": null}"#)), leaderless);
        let grant: Grant = serde_json::from_str(r#"{"room": 12, "endAt": 1900000000000}"#).unwrap();
        assert_eq!(SessionDefinition::from(&grant).leader_id, None);
    }

    #[test]
    fn ids_keep_their_types() {
        let json = r#"{"endAt":1900000000000,"leaderId":8,"members":[7,"9"],"duplicates":"refuse"}"#;
        assert_eq!(serde_json::to_string(&definition(json)).unwrap(), json);
    }

    #[test]
    fn seconds_are_not_taken_for_milliseconds() {
        let session = definition(r#"{"endAt": 1900000000, "leaderId": 1}"#);
        assert_eq!(session.validate(), Err(InvalidDefinition::EndAt));
    }

    #[test]
    fn misspelt_members_are_refused() {
        assert!(
            serde_json::from_str::<SessionDefinition>(r#"{"endAt": 1, "leaderId": 1, "member": []}"#)
                .is_err()
        );
    }
}

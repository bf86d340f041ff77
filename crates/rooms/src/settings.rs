//! Durations and limits of a deployment.

use std::{collections::BTreeMap, ops::RangeInclusive, str::FromStr};

use rollcall_protocol::Keyspace;
use serde::Serialize;

use crate::shard::{InvalidLayout, Layout};

/// How long a room remembers a closed entry and ignores late copies of its events: twice the five minutes for which a
/// signed call is valid.
const CLOSED_ENTRY_MS: u64 = 10 * 60 * 1000;

/// How often a user may enter a room at once: enough for several tabs that are all reloaded again and again.
const ENTRY_BURST: u64 = 20;

/// In which time a user may enter a room once more after that. Each entry goes to the whole room.
const ENTRY_INTERVAL_MS: u64 = 3000;

/// How often a user may change a room's timer at once. Each change goes to the whole room.
const TIMER_BURST: u64 = 10;

/// In which time a user may change the timer once more after that.
const TIMER_INTERVAL_MS: u64 = 1000;

/// How often a user may change the status or the goal in a room at once. Each change goes to the whole room.
const STATUS_BURST: u64 = 10;

/// In which time a user may change the status or the goal once more after that.
const STATUS_INTERVAL_MS: u64 = 2000;

/// How often a user may write to a room's chat at once. Each message goes to the whole room.
const CHAT_BURST: u64 = 10;

/// In which time a user may write once more after that.
const CHAT_INTERVAL_MS: u64 = 1000;

/// How often a user may share, change and close code in a room at once. Each change goes to the whole room.
const CODE_BURST: u64 = 10;

/// In which time a user may do so once more after that.
const CODE_INTERVAL_MS: u64 = 1000;

/// How often a user may read snippets with their texts in a room at once, also in refusals: all that a room can hold.
const CODE_READ_BURST: u64 = 100;

/// In which time a user may read one more after that. A snippet may be large, and a document has to be merged.
const CODE_READ_INTERVAL_MS: u64 = 500;

/// How often a user may change documents in a room, or show a position in one, at once.
const DOCUMENT_BURST: u64 = 20;

/// In which time a user may do so once more after that. Each change goes to all who have the document open, so an editor
/// sends what is typed meanwhile together.
const DOCUMENT_INTERVAL_MS: u64 = 100;

/// Settling a member takes about 30 µs, and a script may take several steps.
const SLICE_MEMBERS: u64 = 100;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The settings that every script call carries. Durations are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// How long a member may stay away after a lost connection.
    pub grace_ms: u64,
    /// How long a heartbeat keeps a bridge node's connections alive.
    pub lease_ms: u64,
    /// How long before the end members get a reminder.
    pub reminder_lead_ms: u64,
    /// The largest room whose events carry the whole list of members.
    pub roster_limit: u64,
    /// How long Redis keeps an ended room that no sweep clears.
    pub retention_ms: u64,
    /// The shards that hold the rooms.
    pub shards: Layout,
    /// The approximate number of stays that the attendance of a room holds, of which each user has an equal share; the
    /// most users in it.
    pub attendance_limit: u64,
    /// How long Redis keeps attendance after the end.
    pub attendance_ms: u64,
    /// How long a room remembers a closed entry.
    pub closed_entry_ms: u64,
    /// How often a user may enter one room, or change the name in it, at once.
    pub entry_burst: u64,
    /// In which time a user may enter once more after that.
    pub entry_interval_ms: u64,
    /// How often a user may change the timer of one room at once.
    pub timer_burst: u64,
    /// In which time a user may change the timer once more after that.
    pub timer_interval_ms: u64,
    /// How often a user may change the status or the goal in one room at once.
    pub status_burst: u64,
    /// In which time a user may change the status or the goal once more after that.
    pub status_interval_ms: u64,
    /// How often a user may write to the chat of one room at once.
    pub chat_burst: u64,
    /// In which time a user may write once more after that.
    pub chat_interval_ms: u64,
    /// The most messages and deletions that a room keeps.
    pub chat_limit: u64,
    /// How long Redis keeps messages after the end; 0 for not at all.
    pub chat_ms: u64,
    /// How often a user may share, change and close code in one room at once.
    pub code_burst: u64,
    /// In which time a user may do so once more after that.
    pub code_interval_ms: u64,
    /// How often a user may read snippets with their texts in one room at once.
    pub code_read_burst: u64,
    /// In which time a user may read one more after that.
    pub code_read_interval_ms: u64,
    /// How often a user may change documents in one room, or show a position in one, at once.
    pub document_burst: u64,
    /// In which time a user may do so once more after that.
    pub document_interval_ms: u64,
    /// The most snippets that a room holds, a quarter of them of one user.
    pub code_limit: u64,
    /// How long Redis keeps snippets after the end; 0 for not at all.
    pub code_ms: u64,
    /// The most members whom one step of a script settles, so that a script does not block Redis.
    pub slice_members: u64,
    /// The time of the call, in milliseconds since 1970; without it, the scripts use Redis's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<u64>,
    /// Whether the Redis is a cluster, in which a shard may move to another node.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_cluster: bool,
    /// Where the rooms lie in Redis. Scripts see it in their keys.
    #[serde(skip)]
    pub keyspace: Keyspace,
}

/// A setting is out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the variable {name} must be a whole number from {min} to {max}, and is {value:?}")]
pub struct InvalidSetting {
    name: &'static str,
    value: String,
    min: u64,
    max: u64,
}

/// A list of settings is not usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    /// A word is not `name=value`.
    #[error("settings: {0:?} is not of the form name=value")]
    NotASetting(String),
    /// A setting appears twice.
    #[error("settings: {0} appears twice")]
    Repeated(String),
    /// A setting is missing.
    #[error("settings: {0} is missing")]
    Missing(&'static str),
    /// A name is not that of a setting.
    #[error("settings: there is no setting {0}")]
    Unknown(String),
    /// A value is out of range.
    #[error(transparent)]
    Value(#[from] InvalidSetting),
    /// The value of `shards` names no numbers of shards.
    #[error("the variable shards {0}, and is {1:?}")]
    Shards(InvalidLayout, String),
}

/// Reads a whole number within a range.
pub fn parse_setting(
    name: &'static str,
    value: &str,
    range: RangeInclusive<u64>,
) -> Result<u64, InvalidSetting> {
    value.trim().parse::<u64>().ok().filter(|number| range.contains(number)).ok_or_else(|| InvalidSetting {
        name,
        value: value.to_owned(),
        min: *range.start(),
        max: *range.end(),
    })
}

impl FromStr for Settings {
    type Err = InvalidSettings;

    /// Reads a list of all settings: `name=value`, separated by white space.
    fn from_str(list: &str) -> Result<Self, InvalidSettings> {
        let mut values = read_pairs(list)?;
        let shards = values.remove("shards").ok_or(InvalidSettings::Missing("shards"))?;
        let shards = shards.parse().map_err(|error| InvalidSettings::Shards(error, shards.to_owned()))?;
        let mut take = |name, range| -> Result<u64, InvalidSettings> {
            let value = values.remove(name).ok_or(InvalidSettings::Missing(name))?;
            Ok(parse_setting(name, value, range)?)
        };
        let settings = Self {
            grace_ms: take("grace_ms", 0..=DAY_MS)?,
            lease_ms: take("lease_ms", 1000..=DAY_MS)?,
            reminder_lead_ms: take("reminder_lead_ms", 0..=DAY_MS)?,
            // Redis's Lua cannot unpack more than about 8,000 values at once.
            roster_limit: take("roster_limit", 0..=5000)?,
            // A shorter time could clear a room before a late sweep ends its session.
            retention_ms: take("retention_ms", 60_000..=30 * DAY_MS)?,
            shards,
            attendance_limit: take("attendance_limit", 1..=100_000)?,
            attendance_ms: take("attendance_ms", 60_000..=400 * DAY_MS)?,
            chat_limit: take("chat_limit", 1..=10_000)?,
            chat_ms: take("chat_ms", 0..=400 * DAY_MS)?,
            code_limit: take("code_limit", 1..=100)?,
            code_ms: take("code_ms", 0..=400 * DAY_MS)?,
            ..Self::default()
        };
        match values.into_keys().next() {
            Some(unknown) => Err(InvalidSettings::Unknown(unknown.to_owned())),
            None => Ok(settings),
        }
    }
}

fn read_pairs(list: &str) -> Result<BTreeMap<&str, &str>, InvalidSettings> {
    let mut pairs = BTreeMap::new();
    for word in list.split_whitespace() {
        let (name, value) =
            word.split_once('=').ok_or_else(|| InvalidSettings::NotASetting(word.to_owned()))?;
        if pairs.insert(name, value).is_some() {
            return Err(InvalidSettings::Repeated(name.to_owned()));
        }
    }
    Ok(pairs)
}

impl Default for Settings {
    /// The defaults of `spin.toml`.
    fn default() -> Self {
        Self {
            grace_ms: 30_000,
            lease_ms: 15_000,
            reminder_lead_ms: 600_000,
            roster_limit: 256,
            retention_ms: 3_600_000,
            shards: Layout::from(16),
            attendance_limit: 10_000,
            attendance_ms: 7 * DAY_MS,
            closed_entry_ms: CLOSED_ENTRY_MS,
            entry_burst: ENTRY_BURST,
            entry_interval_ms: ENTRY_INTERVAL_MS,
            timer_burst: TIMER_BURST,
            timer_interval_ms: TIMER_INTERVAL_MS,
            status_burst: STATUS_BURST,
            status_interval_ms: STATUS_INTERVAL_MS,
            chat_burst: CHAT_BURST,
            chat_interval_ms: CHAT_INTERVAL_MS,
            chat_limit: 1000,
            chat_ms: 0,
            code_burst: CODE_BURST,
            code_interval_ms: CODE_INTERVAL_MS,
            code_read_burst: CODE_READ_BURST,
            code_read_interval_ms: CODE_READ_INTERVAL_MS,
            document_burst: DOCUMENT_BURST,
            document_interval_ms: DOCUMENT_INTERVAL_MS,
            code_limit: 20,
            code_ms: 0,
            slice_members: SLICE_MEMBERS,
            now: None,
            is_cluster: false,
            keyspace: Keyspace::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use toml::Table;

    use super::*;

    const DEFAULTS: &str = "grace_ms=30000 lease_ms=15000 reminder_lead_ms=600000 roster_limit=256 \
        retention_ms=3600000 shards=16 attendance_limit=10000 attendance_ms=604800000 \
        chat_limit=1000 chat_ms=0 code_limit=20 code_ms=0";

    fn error(list: &str) -> String {
        list.parse::<Settings>().unwrap_err().to_string()
    }

    fn manifest() -> Table {
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../spin.toml"))
            .unwrap()
            .parse()
            .unwrap()
    }

    #[test]
    fn a_list_names_each_setting_once() {
        assert_eq!(DEFAULTS.parse(), Ok(Settings::default()));
        let changed = DEFAULTS.replace("grace_ms=30000", "grace_ms=1");
        assert_eq!(changed.parse(), Ok(Settings { grace_ms: 1, ..Settings::default() }));
    }

    #[test]
    fn a_missing_an_unknown_and_a_repeated_setting_are_refused_by_name() {
        assert_eq!(error(&DEFAULTS.replace("shards=16", "")), "settings: shards is missing");
        assert_eq!(error(&format!("{DEFAULTS} grace=1")), "settings: there is no setting grace");
        assert_eq!(error(&format!("{DEFAULTS} grace_ms=1")), "settings: grace_ms appears twice");
        let spaced = DEFAULTS.replace("grace_ms=30000", "grace_ms=30 000");
        assert_eq!(error(&spaced), r#"settings: "000" is not of the form name=value"#);
    }

    #[test]
    fn numbers_out_of_range_are_refused_by_name() {
        let message = r#"the variable roster_limit must be a whole number from 0 to 5000, and is "5001""#;
        assert_eq!(error(&DEFAULTS.replace("roster_limit=256", "roster_limit=5001")), message);
        let message = r#"the variable shards must be a number from 1 to 4096, as in "16", or a smaller and a larger one, as in "16-64", and is "64-16""#;
        assert_eq!(error(&DEFAULTS.replace("shards=16", "shards=64-16")), message);
        for (good, bad) in [("grace_ms=30000", "grace_ms=-1"), ("roster_limit=256", "roster_limit=")] {
            assert!(DEFAULTS.replace(good, bad).parse::<Settings>().is_err(), "{bad}");
        }
    }

    #[test]
    fn all_components_that_run_scripts_have_the_same_settings_of_the_manifest() {
        let manifest = manifest();
        // `connect` uses Redis only for the published keys of tokens.
        let components =
            manifest["component"].as_table().unwrap().iter().filter(|(name, _)| *name != "connect");
        let variables: Vec<_> =
            components.filter_map(|(_, component)| component["variables"].as_table()).collect();
        let lists: Vec<_> = variables.iter().filter_map(|variables| variables.get("settings")).collect();
        assert!(!lists.is_empty() && lists.iter().all(|list| *list == lists[0]));
        assert_eq!(
            lists.len(),
            variables.iter().filter(|variables| variables.contains_key("redis_url")).count()
        );

        let mut list = lists[0].as_str().unwrap().to_owned();
        for (name, variable) in manifest["variables"].as_table().unwrap() {
            let default = variable.get("default").and_then(toml::Value::as_str).unwrap_or_default();
            list = list.replace(&format!("{name}={{{{ {name} }}}}"), &format!("{name}={default}"));
        }
        assert_eq!(list.parse(), Ok(Settings::default()));
    }

    #[test]
    fn all_components_that_reach_redis_reach_the_same_part_of_it() {
        let manifest = manifest();
        let parts: Vec<_> = manifest["component"]
            .as_table()
            .unwrap()
            .values()
            .filter(|component| {
                let hosts = component.get("allowed_outbound_hosts");
                hosts.is_some_and(|hosts| format!("{hosts:?}").contains("redis_address"))
            })
            .map(|component| {
                ["redis_url", "redis_prefix", "redis_database", "redis_nodes"]
                    .map(|name| component["variables"].get(name)?.as_str())
            })
            .collect();
        assert!(parts.len() > 1 && parts.iter().all(|part| *part == parts[0]), "{parts:?}");
        assert!(parts[0][0].unwrap().ends_with("/{{ redis_database }}"), "{parts:?}");
    }
}

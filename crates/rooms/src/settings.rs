//! Durations and limits of a deployment.

use std::ops::RangeInclusive;

use serde::Serialize;

/// For how long an entry that is over is remembered, so that late copies of its events change nothing: twice the
/// five minutes for which a signed call is valid.
const CLOSED_ENTRY_MS: u64 = 10 * 60 * 1000;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What the scripts are told with each call. Durations are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// How long a member whose connection was lost may stay away.
    pub grace_ms: u64,
    /// How long a bridge node's connections count as live after it was last heard of.
    pub lease_ms: u64,
    /// How long before the end members are reminded.
    pub reminder_lead_ms: u64,
    /// Up to how many members a room's events carry the whole list.
    pub roster_limit: u64,
    /// How long what is left of a room is kept after its end when nobody clears it.
    pub retention_ms: u64,
    /// Into how many shards rooms are spread.
    pub shards: u64,
    /// About how many stays a room's attendance holds; the oldest make way.
    pub attendance_limit: u64,
    /// How long attendance is kept after the end.
    pub attendance_ms: u64,
    /// For how long an entry that is over is remembered.
    pub closed_entry_ms: u64,
    /// The time to act at, in milliseconds since 1970; without it, Redis's own clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<u64>,
}

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the variable {name} must be a whole number from {min} to {max}, and is {value:?}")]
pub struct InvalidSetting {
    name: &'static str,
    value: String,
    min: u64,
    max: u64,
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

impl Settings {
    /// The names of the variables that settings are read from.
    pub const VARIABLES: [&str; 8] = [
        "grace_ms",
        "lease_ms",
        "reminder_lead_ms",
        "roster_limit",
        "retention_ms",
        "shards",
        "attendance_limit",
        "attendance_ms",
    ];

    /// Reads the settings from the values of [`Self::VARIABLES`], in that order.
    pub fn read(values: [&str; 8]) -> Result<Self, InvalidSetting> {
        let mut variables = Self::VARIABLES.into_iter().zip(values);
        let mut next = |range| {
            let (name, value) = variables.next().unwrap_or_default();
            parse_setting(name, value, range)
        };
        Ok(Self {
            grace_ms: next(0..=DAY_MS)?,
            lease_ms: next(1000..=DAY_MS)?,
            reminder_lead_ms: next(0..=DAY_MS)?,
            // Redis's Lua unpacks no more than about 8,000 values at once.
            roster_limit: next(0..=5000)?,
            // Less, and a sweep that is a little late would find nothing left to end.
            retention_ms: next(60_000..=30 * DAY_MS)?,
            shards: next(1..=4096)?,
            attendance_limit: next(1..=100_000)?,
            attendance_ms: next(60_000..=400 * DAY_MS)?,
            ..Self::default()
        })
    }
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
            shards: 16,
            attendance_limit: 10_000,
            attendance_ms: 7 * DAY_MS,
            closed_entry_ms: CLOSED_ENTRY_MS,
            now: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<Settings, InvalidSetting> {
        let defaults = ["30000", "15000", "600000", "256", "3600000", "16", "10000", "604800000"];
        let mut values = Settings::VARIABLES.into_iter().zip(defaults);
        Settings::read(std::array::from_fn(|_| {
            let (variable, default) = values.next().unwrap();
            if variable == name { value } else { default }
        }))
    }

    #[test]
    fn the_defaults_are_those_of_the_manifest() {
        let manifest =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../spin.toml")).unwrap();
        let default = |name: &str| {
            let line = manifest.lines().find(|line| line.starts_with(&format!("{name} = {{"))).unwrap();
            line.split('"').nth(1).unwrap()
        };
        assert_eq!(Settings::read(Settings::VARIABLES.map(default)).unwrap(), Settings::default());
    }

    #[test]
    fn numbers_out_of_range_are_refused_by_name() {
        let error = read("shards", "0").unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"the variable shards must be a whole number from 1 to 4096, and is "0""#
        );
        assert!(read("grace_ms", "-1").is_err());
        assert!(read("roster_limit", "many").is_err());
    }
}

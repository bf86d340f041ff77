//! Parses and formats times and durations.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use chrono::{DateTime, SecondsFormat};

/// Times before this one (2001, in milliseconds) are seconds by mistake.
const EARLIEST_MS: u64 = 1_000_000_000_000;

/// A time in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) u64);

/// Parses milliseconds since 1970, RFC 3339, or a duration from now with a plus sign.
pub(crate) fn parse(text: &str) -> anyhow::Result<Time> {
    parse_relative_to(text, now_ms())
}

fn parse_relative_to(text: &str, now_ms: u64) -> anyhow::Result<Time> {
    if let Some(duration) = text.strip_prefix('+') {
        let ms = to_ms(humantime::parse_duration(duration)?);
        return Ok(Time(now_ms.checked_add(ms).context("that is too far away")?));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        return parse_ms(text);
    }
    let Ok(time) = DateTime::parse_from_rfc3339(text) else {
        bail!(r#"write it as "2026-11-23T18:00:00Z", "+90m", or in milliseconds since 1970"#);
    };
    Ok(Time(u64::try_from(time.timestamp_millis()).context("that was before 1970")?))
}

fn parse_ms(text: &str) -> anyhow::Result<Time> {
    let ms = text.parse()?;
    if ms < EARLIEST_MS {
        bail!("times are in milliseconds since 1970; {text} looks like seconds");
    }
    Ok(Time(ms))
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    to_ms(since_epoch())
}

/// Seconds since 1970.
pub(crate) fn now_s() -> u64 {
    since_epoch().as_secs()
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn to_ms(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

/// Formats a time in UTC, to the second.
pub(crate) fn format(ms: u64) -> String {
    let time = i64::try_from(ms).ok().and_then(DateTime::from_timestamp_millis);
    time.map_or_else(|| ms.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// Formats a duration, to the second.
pub(crate) fn format_duration(ms: u64) -> String {
    humantime::format_duration(Duration::from_secs(ms / 1000)).to_string()
}

/// Formats a time relative to now: "in 1h 30m", or "5m ago".
pub(crate) fn format_relative(ms: u64, now_ms: u64) -> String {
    if ms >= now_ms {
        format!("in {}", format_duration(ms - now_ms))
    } else {
        format!("{} ago", format_duration(now_ms - ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_795_456_800_000;

    #[test]
    fn three_notations_are_parsed() {
        for (text, ms) in [
            ("1795456800000", NOW_MS),
            ("2026-11-23T18:00:00Z", NOW_MS),
            ("2026-11-23T19:00:00.250+01:00", NOW_MS + 250),
            ("+90m", NOW_MS + 5_400_000),
            ("+2h", NOW_MS + 7_200_000),
            ("+1h30m", NOW_MS + 5_400_000),
            ("+1h 30s", NOW_MS + 3_630_000),
        ] {
            assert_eq!(parse_relative_to(text, NOW_MS).unwrap(), Time(ms), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "+", "+90", "90m", "-5m", "tomorrow", "1969-01-01T00:00:00Z", "2026-11-23 18:00"] {
            assert!(parse_relative_to(text, NOW_MS).is_err(), "{text}");
        }
        assert!(parse_relative_to("99999999999999999999", NOW_MS).is_err());
        assert!(parse_relative_to("+30000000000y", u64::MAX).is_err());
        let seconds = parse_relative_to("1795456800", NOW_MS).unwrap_err().to_string();
        assert!(seconds.contains("looks like seconds"), "{seconds}");
    }

    #[test]
    fn times_are_formatted_in_utc_and_durations_in_words() {
        assert_eq!(format(NOW_MS + 999), "2026-11-23T18:00:00Z");
        assert_eq!(format(u64::MAX), u64::MAX.to_string());
        assert_eq!(format_duration(5_400_999), "1h 30m");
        assert_eq!(format_duration(999), "0s");
        assert_eq!(format_relative(NOW_MS + 60_000, NOW_MS), "in 1m");
        assert_eq!(format_relative(NOW_MS - 60_000, NOW_MS), "1m ago");
    }
}

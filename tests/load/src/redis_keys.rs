//! Reads from Redis what proves that rooms are empty, and how many scripts ran.

use anyhow::Result;
use redis::{AsyncCommands, aio::MultiplexedConnection};

/// Kinds of keys that exist only while a room has members.
const MEMBER_KEYS: &[&str] = &["members", "entries", "order", "grace", "nodes"];

/// Finds the keys of rooms that have members.
pub async fn find_member_keys(redis: &mut MultiplexedConnection) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut keys = redis.scan_match::<_, String>("rollcall:*").await?;
    while let Some(key) = keys.next_item().await {
        let key = key?;
        if MEMBER_KEYS.contains(&kind_of(&key)) {
            found.push(key);
        }
    }
    Ok(found)
}

/// Counts the scripts that ran, including those of sweeps and heartbeats.
pub async fn count_scripts(redis: &mut MultiplexedConnection) -> Result<u64> {
    let stats: String = redis::cmd("INFO").arg("commandstats").query_async(redis).await?;
    Ok(count_calls(&stats, "evalsha") + count_calls(&stats, "eval") + count_calls(&stats, "fcall"))
}

fn count_calls(stats: &str, command: &str) -> u64 {
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.and_then(|rest| rest.split(',').next()?.parse().ok()).unwrap_or(0)
}

/// Returns the `members` in `rollcall:{0}:members:algebra`.
fn kind_of(key: &str) -> &str {
    key.split(':').nth(2).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_command() {
        let stats = "# Commandstats\r\ncmdstat_evalsha:calls=12,usec=3\r\ncmdstat_get:calls=9,usec=1\r\n";
        assert_eq!(count_calls(stats, "evalsha"), 12);
        assert_eq!(count_calls(stats, "fcall"), 0);
    }
}

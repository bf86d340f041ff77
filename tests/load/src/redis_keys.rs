//! What Redis holds of members.

use anyhow::Result;
use redis::{AsyncCommands, aio::MultiplexedConnection};

/// Kinds of keys that exist only while somebody is in the room.
const OF_MEMBERS: &[&str] = &["members", "entries", "order", "grace", "nodes"];

/// The keys that say that somebody is in a room.
pub async fn of_members(redis: &mut MultiplexedConnection) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut keys = redis.scan_match::<_, String>("rollcall:*").await?;
    while let Some(key) = keys.next_item().await {
        let key = key?;
        if OF_MEMBERS.contains(&kind(&key)) {
            found.push(key);
        }
    }
    Ok(found)
}

/// How many scripts have run, those of sweeps and heartbeats included.
pub async fn scripts_run(redis: &mut MultiplexedConnection) -> Result<u64> {
    let stats: String = redis::cmd("INFO").arg("commandstats").query_async(redis).await?;
    Ok(calls_of(&stats, "evalsha") + calls_of(&stats, "eval") + calls_of(&stats, "fcall"))
}

fn calls_of(stats: &str, command: &str) -> u64 {
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.and_then(|rest| rest.split(',').next()?.parse().ok()).unwrap_or(0)
}

/// Of `rollcall:{0}:members:algebra`, the `members`.
fn kind(key: &str) -> &str {
    key.split(':').nth(2).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_counted_by_their_command() {
        let stats = "# Commandstats\r\ncmdstat_evalsha:calls=12,usec=3\r\ncmdstat_get:calls=9,usec=1\r\n";
        assert_eq!(calls_of(stats, "evalsha"), 12);
        assert_eq!(calls_of(stats, "fcall"), 0);
    }
}

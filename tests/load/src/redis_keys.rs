//! Reads from Redis what proves that rooms are empty.

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

/// Returns the `members` in `rollcall:{0}:members:algebra`.
fn kind_of(key: &str) -> &str {
    key.split(':').nth(2).unwrap_or(key)
}

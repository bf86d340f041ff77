//! Ghosts: keys that Redis still has after all sessions have ended.

use std::time::Duration;

use redis::Client;
use rollcall_tests::redis_server::connect;
use tokio::time;

use crate::{caller::Caller, changes, ids::ROOMS};

/// Kinds of keys that outlive sessions.
const LASTING_KINDS: &[&str] =
    &["closed", "attendees", "stays", "epoch", "clock", "announced", "handover", "layout"];

/// Most sweeps after which nothing may be due.
const SWEEPS: usize = 300;

/// Ends all sessions, half of them by their end, and sweeps until nothing is due, not even a lease.
pub async fn end_all(caller: &mut Caller) {
    for room in 0..ROOMS.len() {
        if room % 2 == 0 {
            caller.undefine(room).await;
        } else {
            let session = changes::new_session(room, &mut fastrand::Rng::new());
            caller.define(room, session).await;
        }
    }
    for _ in 0..SWEEPS {
        if caller.sweep().await == Some(None) {
            return;
        }
        time::sleep(Duration::from_millis(20)).await;
    }
}

/// Finds keys that should not exist any more.
pub async fn find(redis: &Client) -> Vec<String> {
    list_keys(redis).await.into_iter().filter(|key| !LASTING_KINDS.contains(&kind(key))).collect()
}

/// Counts the rooms that lie in another shard than at first.
pub async fn count_handovers(redis: &Client) -> usize {
    list_keys(redis).await.iter().filter(|key| kind(key) == "handover").count()
}

async fn list_keys(redis: &Client) -> Vec<String> {
    let mut redis = connect(redis).await;
    redis::cmd("KEYS").arg("*").query_async(&mut redis).await.expect("Redis is up")
}

/// The kind of a key: `members` for `rollcall:{0}:members:algebra`.
fn kind(key: &str) -> &str {
    key.split(':').nth(2).unwrap_or(key)
}

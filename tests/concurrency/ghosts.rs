//! What Redis holds of rooms once all sessions are over.

use std::time::Duration;

use redis::Client;
use rollcall_tests::redis_server::connect;
use tokio::time;

use crate::{caller::Caller, changes, ids::ROOMS};

/// What outlives sessions, by the kind of key.
const REMAINS: &[&str] = &["closed", "attendance", "epoch"];

/// How often to look whether anything is due, before what is left is a ghost.
const SWEEPS: usize = 300;

/// Ends all sessions, every other one by letting its time run out, and sweeps until nothing is due, not even a lease.
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
        if caller.sweep().await.is_some_and(|swept| swept.due_in_ms.is_none()) {
            return;
        }
        time::sleep(Duration::from_millis(20)).await;
    }
}

/// The keys that are left and should not be.
pub async fn ghosts(redis: &Client) -> Vec<String> {
    let mut redis = connect(redis).await;
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut redis).await.expect("Redis is up");
    keys.into_iter().filter(|key| !REMAINS.contains(&kind(key))).collect()
}

/// Of `rollcall:{0}:members:algebra`, the `members`.
fn kind(key: &str) -> &str {
    key.split(':').nth(2).unwrap_or(key)
}

//! Evicts idle keys from keyed rate limiters, which otherwise remember every key that they have ever seen.

use std::{hash::Hash, time::Duration};

use governor::DefaultKeyedRateLimiter;
use tokio::time::sleep;

/// Time between two evictions.
const INTERVAL: Duration = Duration::from_secs(60);

/// Evicts keys that are back at their full quota, once a minute, until the future is dropped.
pub(crate) async fn evict_idle<K: Hash + Eq + Clone>(limiter: &DefaultKeyedRateLimiter<K>) {
    loop {
        sleep(INTERVAL).await;
        limiter.retain_recent();
        limiter.shrink_to_fit();
    }
}

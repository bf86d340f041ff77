//! Limits on how fast each of many may be, which remember everybody whom they have seen.

use std::{hash::Hash, time::Duration};

use governor::DefaultKeyedRateLimiter;
use tokio::time::sleep;

/// How often those who have been quiet are forgotten.
const INTERVAL: Duration = Duration::from_secs(60);

/// Forgets those who have been quiet, until the process ends.
pub(crate) async fn forget<K: Hash + Eq + Clone>(limiter: &DefaultKeyedRateLimiter<K>) {
    loop {
        sleep(INTERVAL).await;
        limiter.retain_recent();
        limiter.shrink_to_fit();
    }
}

//! The checks that decide whether a run passed.

use std::time::Duration;

use anyhow::Result;
use redis::aio::MultiplexedConnection;
use tokio::time::{Instant, sleep};

use crate::{api::Api, memory::Samples, metrics::Metrics, redis_keys};

const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The result of a check.
#[derive(Debug)]
pub struct Check {
    /// What has to hold.
    pub name: String,
    /// What was found.
    pub found: String,
    /// Whether it holds.
    pub passed: bool,
}

impl Check {
    /// Creates it.
    pub fn new(name: impl Into<String>, found: impl Into<String>, passed: bool) -> Self {
        Self { name: name.into(), found: found.into(), passed }
    }
}

/// Checks that no client observed a violation.
pub fn check_violations(metrics: &Metrics) -> Vec<Check> {
    let counters = [
        ("no gap in any client's numbering", &metrics.sequence_violations),
        ("members' lists and counts follow from acks and changes", &metrics.member_violations),
        ("every message follows the protocol", &metrics.protocol_violations),
    ];
    counters
        .map(|(name, counter)| Check::new(name, format!("{} violations", counter.get()), counter.get() == 0))
        .into()
}

/// Checks that nearly all sockets were open at once; a few always reconnect.
pub fn check_open_sockets(max_open: usize, wanted: usize) -> Check {
    let passed = max_open * 100 >= wanted * 95;
    Check::new("the sockets were open at once", format!("{max_open} of {wanted}"), passed)
}

/// Checks that the memory of a bridge is flat.
pub fn check_memory(bridge: &str, samples: &Samples) -> Check {
    let (third, last) = samples.last_quarters();
    let found = format!("{:.1} MiB, then {:.1} MiB", third / 1024.0, last / 1024.0);
    Check::new(format!("memory of {bridge} is flat"), found, samples.are_flat())
}

/// Checks that no room holds members after all clients went, by the API and by Redis. Polls until `timeout`, within
/// which the last lost member has to be removed.
pub async fn check_ghosts(
    api: &Api,
    redis: &mut MultiplexedConnection,
    timeout: Duration,
) -> Result<[Check; 2]> {
    let end = Instant::now() + timeout;
    loop {
        let occupied = api.occupied().await?;
        let keys = redis_keys::find_member_keys(redis).await?;
        if (occupied.is_empty() && keys.is_empty()) || Instant::now() > end {
            let ghosts: u64 = occupied.iter().map(|(_, count)| count).sum();
            let by_api = format!("{ghosts} ghosts in {} rooms", occupied.len());
            let by_redis = format!("{} keys {}", keys.len(), keys.first().map_or("", String::as_str));
            return Ok([
                Check::new("every room is empty by the API", by_api, occupied.is_empty()),
                Check::new("every room is empty in Redis", by_redis, keys.is_empty()),
            ]);
        }
        sleep(POLL_INTERVAL).await;
    }
}

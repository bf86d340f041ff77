//! Checks the results of a run.

use std::time::Duration;

use anyhow::Result;
use redis::aio::MultiplexedConnection;
use tokio::time::{Instant, sleep};

use crate::{api::Api, counters::Counters, memory::Samples, redis_keys};

/// How often to look whether the last ghost is gone.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What was checked.
#[derive(Debug)]
pub struct Check {
    /// What should be.
    pub name: String,
    /// What was found.
    pub found: String,
    /// Whether that is good.
    pub is_ok: bool,
}

impl Check {
    fn new(name: impl Into<String>, found: impl Into<String>, is_ok: bool) -> Self {
        Self { name: name.into(), found: found.into(), is_ok }
    }
}

/// What clients were told.
pub fn check_faults(counters: &Counters) -> Vec<Check> {
    let counters = [
        ("no gap in any client's numbering", &counters.numbering_faults),
        ("members' lists and counts follow from acks and changes", &counters.member_faults),
        ("nothing was said that no client can read", &counters.speech_faults),
    ];
    counters
        .map(|(name, counter)| Check::new(name, format!("{} faults", counter.get()), counter.get() == 0))
        .into()
}

/// Whether the crowd was ever as large as it was to be, but for those on their way at the moment.
pub fn check_crowd(held: usize, wanted: usize) -> Check {
    Check::new("the sockets were held at once", format!("{held} of {wanted}"), held * 100 >= wanted * 95)
}

/// Whether a bridge's memory is flat.
pub fn check_memory(bridge: &str, samples: &Samples) -> Check {
    let (third, last) = samples.late_quarters();
    let found = format!("{:.1} MiB, then {:.1} MiB", third / 1024.0, last / 1024.0);
    Check::new(format!("memory of {bridge} is flat"), found, samples.are_flat())
}

/// Whether anybody is left when everybody has gone, by the API and by Redis. Waits for as long as it may take until
/// a lost member is gone.
pub async fn check_ghosts(
    api: &Api,
    redis: &mut MultiplexedConnection,
    limit: Duration,
) -> Result<[Check; 2]> {
    let end = Instant::now() + limit;
    loop {
        let occupied = api.occupied().await?;
        let keys = redis_keys::of_members(redis).await?;
        if (occupied.is_empty() && keys.is_empty()) || Instant::now() > end {
            let ghosts: u64 = occupied.iter().map(|(_, count)| count).sum();
            let by_api = format!("{ghosts} ghosts in {} rooms", occupied.len());
            let by_redis = format!("{} keys {}", keys.len(), keys.first().map_or("", String::as_str));
            return Ok([
                Check::new("every room is empty by the API", by_api, occupied.is_empty()),
                Check::new("every room is empty in Redis", by_redis, keys.is_empty()),
            ]);
        }
        sleep(LOOK_AGAIN).await;
    }
}

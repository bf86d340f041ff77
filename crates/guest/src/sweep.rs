//! Settling what is overdue although nobody calls.

use futures_util::future::join_all;
use rollcall_rooms::{Failure, Rooms, redis::Redis};
use serde::Serialize;

/// What a sweep of all shards did.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How many rooms were due.
    pub settled: u32,
    /// By how many milliseconds the first of them was overdue.
    pub late_ms: u64,
    /// In how many milliseconds something is due next, as far as is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_in_ms: Option<u64>,
}

/// Sweeps all shards at once: the calls pipeline on the instance's one connection. A shard whose sweep fails does not
/// keep the others from theirs.
pub async fn run<R: Redis>(rooms: &Rooms<R>) -> Result<Report, Failure> {
    let shards = join_all(rooms.shards().map(|shard| sweep_shard(rooms, shard))).await;
    let mut report = Report::default();
    for shard in shards {
        let shard = shard?;
        report.settled += shard.settled;
        report.late_ms = report.late_ms.max(shard.late_ms);
        report.due_in_ms = report.due_in_ms.into_iter().chain(shard.due_in_ms).min();
    }
    if report.settled > 0 {
        println!("swept settled={} late_ms={}", report.settled, report.late_ms);
    }
    Ok(report)
}

async fn sweep_shard<R: Redis>(rooms: &Rooms<R>, shard: u64) -> Result<Report, Failure> {
    let mut report = Report::default();
    loop {
        let swept = rooms.sweep(shard).await?;
        report.settled += swept.settled;
        report.late_ms = report.late_ms.max(swept.late_ms);
        report.due_in_ms = swept.due_in_ms;
        if !swept.more {
            return Ok(report);
        }
    }
}

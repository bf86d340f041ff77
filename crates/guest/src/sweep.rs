//! Sweeps: settling rooms that are due although no call arrives.

use futures_util::future::join_all;
use rollcall_protocol::api::SweepReport;
use rollcall_rooms::{Error, Rooms, redis::Redis, rooms::DueShards};

/// Sweeps the shards that are due. The first call alone connects to Redis, and finds these shards; their calls pipeline on
/// that connection. The sweep of one shard may fail without stopping the others.
pub async fn run<R: Redis>(rooms: &Rooms<R>) -> Result<SweepReport, Error> {
    let DueShards { shards, due_in_ms } = rooms.find_due().await?;
    let mut report = SweepReport { due_in_ms, ..SweepReport::default() };
    for shard in join_all(shards.into_iter().map(|shard| sweep_shard(rooms, shard))).await {
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

async fn sweep_shard<R: Redis>(rooms: &Rooms<R>, shard: u64) -> Result<SweepReport, Error> {
    let mut report = SweepReport::default();
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

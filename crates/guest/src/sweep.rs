//! Sweeps: settling rooms that are due although no call arrives.

use futures_util::future::join_all;
use rollcall_protocol::{
    api::SweepReport,
    event::{NextDue, Swept},
};
use rollcall_rooms::{Error, Rooms, redis::Redis, rooms::DueShards};

/// Sweeps the shards that are due. The first call alone connects to Redis, and finds these shards; their calls pipeline on
/// that connection. The sweep of one shard may fail without stopping the others.
pub async fn run<R: Redis>(rooms: &Rooms<R>) -> Result<Swept, Error> {
    let DueShards { shards, next_due, due_in_ms, .. } = rooms.find_due().await?;
    let mut swept = Swept { report: SweepReport { due_in_ms, ..SweepReport::default() }, next_due };
    for shard in join_all(shards.into_iter().map(|shard| sweep_shard(rooms, shard))).await {
        let (report, next_due) = shard?;
        swept.report = merge(swept.report, report);
        swept.next_due = swept.next_due.into_iter().chain([next_due]).reduce(NextDue::merge);
    }
    let SweepReport { settled, late_ms, .. } = swept.report;
    if settled > 0 {
        println!("swept settled={settled} late_ms={late_ms}");
    }
    Ok(swept)
}

async fn sweep_shard<R: Redis>(rooms: &Rooms<R>, shard: u64) -> Result<(SweepReport, NextDue), Error> {
    let mut report = SweepReport::default();
    loop {
        let swept = rooms.sweep(shard).await?;
        report.settled += swept.settled;
        report.late_ms = report.late_ms.max(swept.late_ms);
        report.due_in_ms = swept.due_in_ms;
        if !swept.more {
            return Ok((report, swept.next_due));
        }
    }
}

fn merge(one: SweepReport, other: SweepReport) -> SweepReport {
    SweepReport {
        settled: one.settled + other.settled,
        late_ms: one.late_ms.max(other.late_ms),
        due_in_ms: one.due_in_ms.into_iter().chain(other.due_in_ms).min(),
    }
}

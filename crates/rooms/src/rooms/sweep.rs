//! Sweeps: what is overdue happens although no call arrives.

use rollcall_protocol::event::NextDue;
use serde::{Deserialize, Serialize};

use super::{Rooms, reply, to_json};
use crate::{
    Error,
    redis::{self, Redis, RedisError},
    script, shard,
};

/// The most rooms that one run of the sweep script settles, so that a long sweep does not block Redis.
const SWEEP_BATCH: u32 = 100;

/// The result of a sweep of one shard.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShardSweep {
    /// The number of rooms that were due.
    pub settled: u32,
    /// How long the first of them was overdue.
    pub late_ms: u64,
    /// Whether more rooms are due.
    pub more: bool,
    /// The next deadline of the shard.
    pub next_due: NextDue,
    /// The milliseconds until the shard has to be swept again.
    pub due_in_ms: Option<u64>,
}

/// The shards that a sweep has to visit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DueShards {
    /// Their numbers.
    pub shards: Vec<u64>,
    /// The next deadline of the other shards; none if there are no others.
    pub next_due: Option<NextDue>,
    /// The milliseconds until another shard has to be visited.
    pub due_in_ms: Option<u64>,
    /// The number of all shards, if this list leaves some of them out.
    pub all_shards: Option<u64>,
}

impl<R: Redis> Rooms<R> {
    /// Tells all bridges when something is due next.
    pub async fn announce_next_due(&self, next_due: NextDue) -> Result<(), Error> {
        self.publish(&self.keyspace.due_channel(), &to_json(&next_due)?).await
    }

    /// Finds the shards that a sweep has to visit, with one call for all shards. These are all shards in a cluster, which
    /// runs no script on the keys of several slots.
    pub async fn find_due(&self) -> Result<DueShards, Error> {
        #[derive(Serialize)]
        struct DueCall {}
        if self.is_cluster {
            return self.list_all_shards().await;
        }
        let call = to_json(&DueCall {})?;
        let mut shards = self.layout.shards();
        loop {
            let keys: Vec<_> = (0..shards).map(|shard| shard::deadlines_key(&self.keyspace, shard)).collect();
            let reply = match redis::run(&self.redis, &script::DUE, &keys, &self.settings_json, &call).await {
                // A proxy in front of a cluster refuses.
                Err(RedisError::Refused(_)) => return self.list_all_shards().await,
                reply => reply.map_err(|error| redis::unavailable(&script::DUE, &error))?,
            };
            let due: DueShards = reply::result_of(&script::DUE, reply::parse(&script::DUE, &reply)?)?;
            match due.all_shards {
                Some(all_shards) if all_shards > shards => shards = all_shards,
                _ => return Ok(due),
            }
        }
    }

    async fn list_all_shards(&self) -> Result<DueShards, Error> {
        let shards = (0..self.count_shards().await?).collect();
        Ok(DueShards { shards, next_due: None, due_in_ms: None, all_shards: None })
    }

    /// Settles some of the rooms that are due in one shard.
    pub async fn sweep(&self, shard: u64) -> Result<ShardSweep, Error> {
        #[derive(Serialize)]
        struct SweepCall {
            limit: u32,
        }
        self.run(&script::SWEEP, shard, &SweepCall { limit: SWEEP_BATCH }).await
    }
}

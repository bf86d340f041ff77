//! A bridge reports that it is alive, which renews its lease, or that it stops.

use futures_util::future::try_join_all;
use rollcall_guest::{
    events::{self, Call},
    http::Response,
    redis,
};
use rollcall_protocol::event::{Heartbeat, Lease, NextDue};
use rollcall_rooms::{Error, rooms::ShardLease};

rollcall_guest::export_events!(handle);

async fn handle(call: Call) -> Response {
    events::handle(call, renew_lease, redis::check).await
}

/// Runs one script per shard, because a bridge may hold connections in every shard. The calls pipeline on one
/// connection. The first call runs alone, so that it alone connects to Redis and loads the script. It also says how many
/// shards there are.
async fn renew_lease(heartbeat: Heartbeat) -> Result<Lease, Error> {
    let rooms = redis::rooms().await?;
    let ShardLease { lease, shards } = rooms.heartbeat(0, &heartbeat).await?;
    let others = (1..shards.unwrap_or(1)).map(|shard| rooms.heartbeat(shard, &heartbeat));
    let mut leases = vec![lease];
    leases.extend(try_join_all(others).await?.into_iter().map(|ShardLease { lease, .. }| lease));
    if !heartbeat.is_leaving {
        rooms.signal_node(&heartbeat.node_id).await?;
    }
    Ok(Lease {
        // A loss in one shard counts as a loss in all shards: a rejoin is harmless where the lease has held.
        since: leases.iter().map(|lease| lease.since).max().unwrap_or_default(),
        keyspace: Some(rooms.keyspace().clone()),
        layouts: rooms.channel_layouts(shards),
        next_due: leases.iter().filter_map(|lease| lease.next_due).reduce(NextDue::merge),
        rank: leases.iter().find_map(|lease| lease.rank),
    })
}

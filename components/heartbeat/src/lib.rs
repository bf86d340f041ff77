//! A bridge says that it is there, so that its connections count as live; or that it stops.

use futures_util::future::try_join_all;
use rollcall_guest::{events, http::Response, redis};
use rollcall_protocol::{
    ErrorCode,
    event::{BridgeEvent, EventKind, Lease},
};
use rollcall_rooms::Failure;
use spin_sdk::{http::Request, http_service};

#[http_service]
async fn handle(request: Request) -> Response {
    events::handle(request, EventKind::Heartbeat, heartbeat).await
}

/// One script per shard, because a bridge may hold connections in every one; they pipeline on one connection. The
/// first one alone: it opens the connection to Redis and loads the script where they are not there, so that not all of
/// the others do.
async fn heartbeat(event: BridgeEvent) -> Result<Lease, Failure> {
    let BridgeEvent::Heartbeat(heartbeat) = event else { return Err(ErrorCode::Malformed.into()) };
    let work = async {
        let rooms = redis::rooms().await?;
        let mut beats = rooms.shards().map(|shard| rooms.heartbeat(shard, &heartbeat));
        let mut leases = try_join_all(beats.next()).await?;
        leases.extend(try_join_all(beats).await?);
        // A loss in one shard counts as one in all: entering again does no harm where nothing was lost.
        Ok(Lease { since: leases.iter().map(|lease| lease.since).max().unwrap_or_default() })
    };
    events::within_time_limit(work).await
}

//! Counts who is in which room, for clients outside.

use rollcall_guest::{
    events::{self, Call},
    features,
    http::Response,
    lobby, redis,
};
use rollcall_protocol::lobby::{CountRooms, RoomCounts};
use rollcall_rooms::Error;

rollcall_guest::export_events!(handle);

/// The counts that come in time are worth an answer, so each event has a time limit of its own.
async fn handle(call: Call) -> Response {
    events::handle_without_limit(call, count, check).await
}

async fn count(CountRooms { ids }: CountRooms) -> Result<RoomCounts, Error> {
    lobby::counts(&ids).await
}

async fn check() -> Result<(), Error> {
    features::check().await?;
    events::within_time_limit(redis::check()).await
}

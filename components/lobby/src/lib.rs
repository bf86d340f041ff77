//! Counts who is in which room, for clients outside.

use rollcall_guest::{
    events::{self, Call},
    features,
    http::Response,
    redis,
};
use rollcall_protocol::{
    command::Feature,
    lobby::{CountRooms, RoomCounts},
};
use rollcall_rooms::Error;

rollcall_guest::export_events!(handle);

async fn handle(call: Call) -> Response {
    events::handle(call, count, check).await
}

async fn count(CountRooms { ids }: CountRooms) -> Result<RoomCounts, Error> {
    features::ensure(Feature::Lobby).await?;
    redis::rooms().await?.counts(&ids).await
}

async fn check() -> Result<(), Error> {
    features::check().await?;
    redis::check().await
}

//! A bridge may have missed events of a room, and asks how things are.

use rollcall_guest::{events, http::Response, redis};
use rollcall_protocol::{
    ErrorCode,
    event::{BridgeEvent, EventKind, MAX_SEATS, Reading},
};
use rollcall_rooms::Failure;
use spin_sdk::{http::Request, http_service};

#[http_service]
async fn handle(request: Request) -> Response {
    events::handle(request, EventKind::Read, read).await
}

async fn read(event: BridgeEvent) -> Result<Reading, Failure> {
    let BridgeEvent::Read(read) = event else { return Err(ErrorCode::Malformed.into()) };
    if read.seats.len() > MAX_SEATS {
        return Err(ErrorCode::Malformed.into());
    }
    events::within_time_limit(async { redis::rooms().await?.read(&read).await }).await
}

//! A member leaves the room for good.

use rollcall_guest::{events, http::Response, redis};
use rollcall_protocol::{
    ErrorCode,
    client::Done,
    event::{BridgeEvent, EventKind},
};
use rollcall_rooms::Failure;
use spin_sdk::{http::Request, http_service};

#[http_service]
async fn handle(request: Request) -> Response {
    events::handle(request, EventKind::Leave, leave).await
}

async fn leave(event: BridgeEvent) -> Result<Done, Failure> {
    let BridgeEvent::Leave(membership) = event else { return Err(ErrorCode::Malformed.into()) };
    events::within_time_limit(async { redis::rooms().await?.leave(&membership).await }).await
}

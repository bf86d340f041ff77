//! Members' connections were lost: their grace periods start.

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
    events::handle_each(request, EventKind::Disconnect, disconnect).await
}

async fn disconnect(event: BridgeEvent) -> Result<Done, Failure> {
    let BridgeEvent::Disconnect(membership) = event else { return Err(ErrorCode::Malformed.into()) };
    redis::rooms().await?.disconnect(&membership).await
}

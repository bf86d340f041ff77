//! A client wants to connect: verifies its token and answers who it speaks for. Touches no Redis.

use rollcall_guest::{events, http::Response, identity};
use rollcall_protocol::{
    ErrorCode,
    client::Identity,
    event::{BridgeEvent, EventKind},
};
use rollcall_rooms::Failure;
use spin_sdk::{http::Request, http_service};

#[http_service]
async fn handle(request: Request) -> Response {
    events::handle(request, EventKind::Connect, identify).await
}

async fn identify(event: BridgeEvent) -> Result<Identity, Failure> {
    let BridgeEvent::Connect(connect) = event else { return Err(ErrorCode::Malformed.into()) };
    identity::verify(&connect.token).await
}

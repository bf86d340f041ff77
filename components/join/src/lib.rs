//! A client wants to enter a room, or to come back to it.

use rollcall_guest::{definitions::KeyValueDefinitions, events, http::Response, redis};
use rollcall_protocol::{
    ErrorCode,
    client::Joined,
    event::{BridgeEvent, EventKind},
};
use rollcall_rooms::Failure;
use spin_sdk::{http::Request, http_service};

#[http_service]
async fn handle(request: Request) -> Response {
    events::handle(request, EventKind::Join, join).await
}

async fn join(event: BridgeEvent) -> Result<Joined, Failure> {
    let BridgeEvent::Join(join) = event else { return Err(ErrorCode::Malformed.into()) };
    let work = async {
        let definitions = KeyValueDefinitions::open().await?;
        redis::rooms().await?.join(&definitions, &join).await
    };
    events::within_time_limit(work).await
}

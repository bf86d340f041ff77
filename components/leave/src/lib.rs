//! A member leaves the room for good.

use rollcall_guest::{events, http::Response, redis};
use rollcall_protocol::{client::Done, event::Leave};
use rollcall_rooms::Error;
use spin_sdk::{http::Request, http_service};

#[http_service]
async fn handle(request: Request) -> Response {
    events::handle(request, leave, redis::check).await
}

async fn leave(Leave(membership): Leave) -> Result<Done, Error> {
    redis::rooms().await?.leave(&membership).await
}

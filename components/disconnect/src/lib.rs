//! Members' connections were lost: starts the members' grace periods.

use rollcall_guest::{events, http::Response, redis};
use rollcall_protocol::{client::Done, event::Disconnect};
use rollcall_rooms::Error;
use spin_sdk::{http::Request, http_service};

#[http_service]
async fn handle(request: Request) -> Response {
    events::handle(request, disconnect, redis::check).await
}

async fn disconnect(Disconnect(membership): Disconnect) -> Result<Done, Error> {
    redis::rooms().await?.disconnect(&membership).await
}

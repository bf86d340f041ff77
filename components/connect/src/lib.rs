//! A client wants to connect: verifies the client's token and responds with the user. Needs Redis only where an
//! identity provider publishes the keys.

use rollcall_guest::{events, http::Response, identity};
use rollcall_protocol::{client::Identity, event::Connect};
use rollcall_rooms::Error;
use spin_sdk::{http::Request, http_service};

#[http_service]
async fn handle(request: Request) -> Response {
    events::handle_without_limit(request, identify, identity::check).await
}

async fn identify(connect: Connect) -> Result<Identity, Error> {
    identity::verify(&connect.token).await
}

//! A client wants to connect: verifies the client's token and responds with the user. Needs Redis only where an
//! identity provider publishes the keys.

use rollcall_guest::{
    events::{self, Call},
    http::Response,
    identity,
};
use rollcall_protocol::{client::Identity, event::Connect};
use rollcall_rooms::Error;

rollcall_guest::export_events!(handle);

async fn handle(call: Call) -> Response {
    events::handle_without_limit(call, identify, identity::check).await
}

async fn identify(connect: Connect) -> Result<Identity, Error> {
    identity::verify(&connect.token).await
}

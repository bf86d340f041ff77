//! A member leaves the room for good.

use rollcall_guest::{
    events::{self, Call},
    http::Response,
    redis,
};
use rollcall_protocol::{client::Done, event::Leave};
use rollcall_rooms::Error;

rollcall_guest::export_events!(handle);

async fn handle(call: Call) -> Response {
    events::handle(call, leave, redis::check).await
}

async fn leave(Leave(membership): Leave) -> Result<Done, Error> {
    redis::rooms().await?.leave(&membership).await
}

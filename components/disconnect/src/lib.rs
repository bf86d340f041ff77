//! Members' connections were lost: starts the members' grace periods.

use rollcall_guest::{
    events::{self, Call},
    http::Response,
    redis,
};
use rollcall_protocol::{client::Done, event::Disconnect};
use rollcall_rooms::Error;

rollcall_guest::export_events!(handle);

async fn handle(call: Call) -> Response {
    events::handle(call, disconnect, redis::check).await
}

async fn disconnect(Disconnect(membership): Disconnect) -> Result<Done, Error> {
    redis::rooms().await?.disconnect(&membership).await
}

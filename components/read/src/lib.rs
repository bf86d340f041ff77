//! A bridge may have missed events of a room and asks for a snapshot.

use rollcall_guest::{
    events::{self, Call},
    http::Response,
    redis,
};
use rollcall_protocol::{
    ErrorCode,
    event::{MAX_ENTRIES, Read, RoomSnapshot},
};
use rollcall_rooms::Error;

rollcall_guest::export_events!(handle);

async fn handle(call: Call) -> Response {
    events::handle(call, read, redis::check).await
}

async fn read(read: Read) -> Result<RoomSnapshot, Error> {
    if read.entries.len() > MAX_ENTRIES {
        return Err(ErrorCode::Malformed.into());
    }
    redis::rooms().await?.read(&read).await
}

//! A client wants to enter a room, or to come back to it.

use rollcall_guest::{
    definitions::{KeyValueDefinitions, PostgresDefinitions, Source},
    events,
    http::Response,
    redis,
};
use rollcall_protocol::{
    ErrorCode,
    client::Joined,
    event::{BridgeEvent, EventKind},
};
use rollcall_rooms::{Failure, grant::Granted};
use spin_sdk::{http::Request, http_service};

#[http_service]
async fn handle(request: Request) -> Response {
    events::handle(request, EventKind::Join, join).await
}

async fn join(event: BridgeEvent) -> Result<Joined, Failure> {
    let BridgeEvent::Join(join) = event else { return Err(ErrorCode::Malformed.into()) };
    let work = async {
        let rooms = redis::rooms().await?;
        match Source::configured().await? {
            Source::KeyValue => rooms.join(&KeyValueDefinitions::open().await?, &join).await,
            Source::Postgres => rooms.join(&PostgresDefinitions::open().await?, &join).await,
            Source::Token => rooms.join(&Granted(join.grant.as_ref()), &join).await,
        }
    };
    events::within_time_limit(work).await
}

//! A client wants to enter a room, or to return to it.

use rollcall_guest::{
    definitions::{KeyValueDefinitions, PostgresDefinitions, Source},
    events,
    http::Response,
    redis,
};
use rollcall_protocol::{client::Joined, event::Join};
use rollcall_rooms::{Error, definitions::TokenDefinitions};
use spin_sdk::{http::Request, http_service};

#[http_service]
async fn handle(request: Request) -> Response {
    events::handle(request, join, check).await
}

async fn join(join: Join) -> Result<Joined, Error> {
    let rooms = redis::rooms().await?;
    match Source::configured().await? {
        Source::KeyValue => rooms.join(&KeyValueDefinitions::default(), &join).await,
        Source::Postgres => rooms.join(&PostgresDefinitions::open().await?, &join).await,
        Source::Token => rooms.join(&TokenDefinitions(join.grant.as_ref()), &join).await,
    }
}

async fn check() -> Result<(), Error> {
    redis::check().await?;
    match Source::configured().await? {
        Source::KeyValue => KeyValueDefinitions::default().check().await,
        Source::Postgres => PostgresDefinitions::open().await?.check().await,
        Source::Token => Ok(()),
    }
}

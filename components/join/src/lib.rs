//! A client wants to enter a room, or to return to it.

use rollcall_guest::{
    definitions::{KeyValueDefinitions, PostgresDefinitions, Source},
    events::{self, Call},
    http::Response,
    redis,
};
use rollcall_protocol::{client::Joined, event::Join};
use rollcall_rooms::{Error, definitions::TokenDefinitions};

rollcall_guest::export_events!(handle);

async fn handle(call: Call) -> Response {
    events::handle(call, join, check).await
}

async fn join(join: Join) -> Result<Joined, Error> {
    let rooms = redis::rooms().await?;
    match Source::configured().await? {
        Source::KeyValue => rooms.join(&KeyValueDefinitions, &join).await,
        Source::Postgres => rooms.join(&*PostgresDefinitions::configured().await?, &join).await,
        Source::Token => rooms.join(&TokenDefinitions(join.grant.as_ref()), &join).await,
    }
}

async fn check() -> Result<(), Error> {
    redis::check().await?;
    match Source::configured().await? {
        Source::KeyValue => KeyValueDefinitions.check().await,
        Source::Postgres => PostgresDefinitions::configured().await?.check().await,
        Source::Token => Ok(()),
    }
}

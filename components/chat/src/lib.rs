//! A member sends, deletes or reads messages, or moderates the chat.

use rollcall_guest::{
    events::{self, Call},
    features,
    http::Response,
    redis,
};
use rollcall_protocol::{chat::ChatCommand, command::Feature};
use rollcall_rooms::Error;
use serde_json::value::RawValue;

rollcall_guest::export_events!(handle);

async fn handle(call: Call) -> Response {
    events::handle(call, command, check).await
}

async fn command(command: ChatCommand) -> Result<Box<RawValue>, Error> {
    features::ensure(Feature::Chat).await?;
    redis::rooms().await?.command_chat(&command).await
}

async fn check() -> Result<(), Error> {
    features::check().await?;
    redis::check().await
}

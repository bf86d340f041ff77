//! A member shares, changes, closes or reads code.

use rollcall_guest::{
    events::{self, Call},
    features,
    http::Response,
    redis,
};
use rollcall_protocol::{code::CodeCommand, command::Feature};
use rollcall_rooms::Error;
use serde_json::value::RawValue;

rollcall_guest::export_events!(handle);

async fn handle(call: Call) -> Response {
    events::handle(call, command, check).await
}

async fn command(command: CodeCommand) -> Result<Box<RawValue>, Error> {
    features::ensure(Feature::Code).await?;
    redis::rooms().await?.command_code(&command).await
}

async fn check() -> Result<(), Error> {
    features::check().await?;
    redis::check().await
}

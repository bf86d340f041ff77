//! A member says what the member does at the moment.

use rollcall_guest::{
    events::{self, Call},
    features,
    http::Response,
    redis,
};
use rollcall_protocol::{command::Feature, status::StatusCommand};
use rollcall_rooms::Error;
use serde_json::value::RawValue;

rollcall_guest::export_events!(handle);

async fn handle(call: Call) -> Response {
    events::handle(call, update, check).await
}

async fn update(command: StatusCommand) -> Result<Box<RawValue>, Error> {
    features::ensure(Feature::Status).await?;
    redis::rooms().await?.update_status(&command).await
}

async fn check() -> Result<(), Error> {
    features::check().await?;
    redis::check().await
}

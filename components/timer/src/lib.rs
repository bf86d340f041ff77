//! A member sets, starts, stops or changes the timer of the room.

use rollcall_guest::{
    events::{self, Call},
    features,
    http::Response,
    redis,
};
use rollcall_protocol::{command::Feature, timer::TimerCommand};
use rollcall_rooms::Error;
use serde_json::value::RawValue;

rollcall_guest::export_events!(handle);

async fn handle(call: Call) -> Response {
    events::handle(call, command, check).await
}

async fn command(command: TimerCommand) -> Result<Box<RawValue>, Error> {
    features::ensure(Feature::Timer).await?;
    redis::rooms().await?.command_timer(&command).await
}

async fn check() -> Result<(), Error> {
    features::check().await?;
    redis::check().await
}

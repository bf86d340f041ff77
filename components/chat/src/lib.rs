//! A member sends, deletes or reads messages, or moderates the chat.

use rollcall_guest::{
    events::{self, Call},
    features, hook,
    http::Response,
    redis,
};
use rollcall_protocol::{
    chat::{ChatAction, ChatCommand},
    command::Feature,
};
use rollcall_rooms::Error;
use serde_json::value::RawValue;

rollcall_guest::export_events!(handle);

/// The platform and Redis have a time limit each.
async fn handle(call: Call) -> Response {
    events::handle_without_limit(call, command, check).await
}

async fn command(mut command: ChatCommand) -> Result<Box<RawValue>, Error> {
    features::ensure(Feature::Chat).await?;
    if let ChatAction::Send { text } = &command.action
        && hook::is_configured().await?
    {
        // Nobody is asked about a message that the room would refuse, or has already.
        let sent = async { redis::rooms().await?.check_message(&command).await };
        if let Some(ack) = events::within_time_limit(sent).await? {
            return Ok(ack);
        }
        let text = hook::ask(&command, text).await?;
        command.action = ChatAction::Send { text };
    }
    events::within_time_limit(async { redis::rooms().await?.command_chat(&command).await }).await
}

async fn check() -> Result<(), Error> {
    features::check().await?;
    hook::check().await?;
    events::within_time_limit(redis::check()).await
}

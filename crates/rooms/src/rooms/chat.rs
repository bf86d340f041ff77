//! The chat of a room.

use rollcall_protocol::{
    CommandId, ErrorCode, Refusal, RoomId,
    chat::{ChatAction, ChatCommand, History, HistoryRequest},
    event::Membership,
    id,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Rooms;
use crate::{Error, redis::Redis, script};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HistoryCall<'a> {
    #[serde(flatten)]
    membership: &'a Membership,
    data: &'a HistoryRequest,
}

#[derive(Deserialize)]
struct Checked {
    ack: Option<Box<RawValue>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OperatorHistory<'a> {
    #[serde(serialize_with = "id::as_text")]
    room_id: &'a RoomId,
    data: &'a HistoryRequest,
}

impl<R: Redis> Rooms<R> {
    /// Applies a member's command to the chat of the room. Returns `{message?, epoch, seq, now}`, or the [`History`].
    ///
    /// Refuses with `NOT_IN_ROOM`, `FEATURE_OFF`, `NOT_ALLOWED`, `MUTED`, `SLOW_MODE`, `NO_SUCH_MESSAGE` or `RATE_LIMITED`.
    pub async fn command_chat(&self, command: &ChatCommand) -> Result<Box<RawValue>, Error> {
        let room = &command.membership.room_id;
        if let ChatAction::History(request) = &command.action {
            check(request)?;
            let call = HistoryCall { membership: &command.membership, data: request };
            return self.run_on_room(&script::HISTORY, room, &call).await;
        }
        self.run_on_room(&script::CHAT, room, command).await
    }

    /// Checks whether a member may send a message now. Returns the ack if it was sent before.
    ///
    /// Refuses with `NOT_IN_ROOM`, `FEATURE_OFF`, `MUTED`, `SLOW_MODE` or `RATE_LIMITED`.
    pub async fn check_message(&self, command: &ChatCommand) -> Result<Option<Box<RawValue>>, Error> {
        let room = &command.membership.room_id;
        let checked: Checked = self.run_on_room(&script::CHECK_MESSAGE, room, command).await?;
        Ok(checked.ack)
    }

    /// Applies an operator's command to the chat of a room. Returns `{epoch, seq, now}`.
    ///
    /// Refuses with `NOT_LIVE`, `FEATURE_OFF` or `NO_SUCH_MESSAGE`.
    pub async fn operate_chat(
        &self,
        room: &RoomId,
        id: &CommandId,
        action: &ChatAction,
    ) -> Result<Box<RawValue>, Error> {
        if !action.is_for_operators() {
            let reason = "operators moderate the chat, and neither send messages nor read them by a command";
            return Err(Refusal::because(ErrorCode::Malformed, reason.to_owned()).into());
        }
        self.operate(&script::CHAT, room, id, action).await
    }

    /// Reads messages of a room that is live, or that keeps them.
    ///
    /// Refuses with `NOT_LIVE`.
    pub async fn history(&self, room: &RoomId, request: &HistoryRequest) -> Result<History, Error> {
        check(request)?;
        self.run_on_room(&script::HISTORY, room, &OperatorHistory { room_id: room, data: request }).await
    }
}

fn check(request: &HistoryRequest) -> Result<(), Error> {
    request.validate().map_err(|error| Refusal::because(ErrorCode::Malformed, error.to_string()).into())
}

//! Commands to the room that the session is in.

use rollcall_protocol::{
    CommandId, ErrorCode, Refusal,
    command::{Command, CommandName, CommandPayload},
    id::InvalidId,
    json,
};
use serde_json::value::RawValue;

use super::{Outbound, Session, membership::RoomState};
use crate::app;

impl<O: Outbound> Session<O> {
    /// Passes a command on to the app. The session knows no command by name, and the ack is the app's own.
    pub(super) async fn command(
        &mut self,
        name: CommandName,
        payload: &RawValue,
    ) -> Result<Box<RawValue>, Refusal> {
        let empty = RawValue::from_string("{}".to_owned()).unwrap_or_default();
        let data = if payload.get() == RawValue::NULL.get() { &*empty } else { payload };
        let CommandPayload { id } = json::from_object_str(data.get()).map_err(|error| {
            let message =
                format!("{} takes an object, with an \"id\"? of the command: {error}", name.as_str());
            Refusal::because(ErrorCode::Malformed, message)
        })?;
        let (RoomState::Inside(membership) | RoomState::Rejoining(membership, _)) = &self.room else {
            return Err(ErrorCode::NotInRoom.into());
        };
        let event_id = app::new_event_id();
        let command_id = id.map_or_else(|| CommandId::new(event_id.as_str()), Ok);
        let command = Command {
            membership: &membership.named(self.user_id()),
            command_id: &command_id
                .map_err(|error: InvalidId| Refusal::because(ErrorCode::Malformed, error.to_string()))?,
            command: name.as_str(),
            data,
        };
        Ok(self.context.app.command(name.kind(), &command, &event_id).await?)
    }
}

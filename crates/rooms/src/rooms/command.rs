//! Commands of operators.

use rollcall_protocol::{CommandId, RoomId, id};
use serde::Serialize;
use serde_json::value::RawValue;

use super::Rooms;
use crate::{Error, redis::Redis, script::Script};

/// A command without a member.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OperatorCommand<'a, A> {
    #[serde(serialize_with = "id::as_text")]
    room_id: &'a RoomId,
    command_id: &'a CommandId,
    #[serde(flatten)]
    action: &'a A,
}

impl<R: Redis> Rooms<R> {
    /// Runs the script that applies an operator's command.
    pub(super) async fn operate(
        &self,
        script: &Script,
        room: &RoomId,
        id: &CommandId,
        action: &impl Serialize,
    ) -> Result<Box<RawValue>, Error> {
        let command = OperatorCommand { room_id: room, command_id: id, action };
        self.run_on_room(script, room, &command).await
    }
}

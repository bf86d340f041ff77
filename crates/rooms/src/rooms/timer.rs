//! Commands to the timer of a room.

use rollcall_protocol::{
    CommandId, RoomId,
    timer::{TimerAction, TimerCommand},
};
use serde_json::value::RawValue;

use super::Rooms;
use crate::{Error, redis::Redis, script};

impl<R: Redis> Rooms<R> {
    /// Applies a member's command to the timer of the room. Returns `{timer, epoch, seq, now}`.
    ///
    /// Refuses with `NOT_IN_ROOM`, `FEATURE_OFF`, `NOT_ALLOWED`, `NO_TIMER`, `TIMER_STATE` or `RATE_LIMITED`.
    pub async fn command_timer(&self, command: &TimerCommand) -> Result<Box<RawValue>, Error> {
        self.run_on_room(&script::TIMER, &command.membership.room_id, command).await
    }

    /// Applies an operator's command to the timer of a room. Returns `{timer, epoch, seq, now}`.
    ///
    /// Refuses with `NOT_LIVE`, `FEATURE_OFF`, `NO_TIMER` or `TIMER_STATE`.
    pub async fn operate_timer(
        &self,
        room: &RoomId,
        id: &CommandId,
        action: &TimerAction,
    ) -> Result<Box<RawValue>, Error> {
        self.operate(&script::TIMER, room, id, action).await
    }
}

//! What members say about themselves.

use rollcall_protocol::status::StatusCommand;
use serde_json::value::RawValue;

use super::Rooms;
use crate::{Error, redis::Redis, script};

impl<R: Redis> Rooms<R> {
    /// Changes a member's own status and goal. Returns `{userId, userName, status?, goal?, epoch, seq, now}`.
    ///
    /// Refuses with `NOT_IN_ROOM`, `FEATURE_OFF` or `RATE_LIMITED`.
    pub async fn update_status(&self, command: &StatusCommand) -> Result<Box<RawValue>, Error> {
        self.run_on_room(&script::STATUS, &command.membership.room_id, command).await
    }
}

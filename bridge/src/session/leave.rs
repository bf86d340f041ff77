//! Leaving a room for good.

use rollcall_protocol::{ErrorCode, Refusal, client::Done, event::Leave};

use super::{Outbound, Session, membership::RoomState};
use crate::app::{self, AppError};

impl<O: Outbound> Session<O> {
    /// Leaves the room. Where the app does not answer or cannot do it at the moment, the session stays in the room. A
    /// client that has left may repeat its leave, because the ack of the first one may be lost.
    pub(super) async fn leave(&mut self) -> Result<Done, Refusal> {
        let membership = match &self.room {
            RoomState::Left => return Ok(Done {}),
            RoomState::Outside => return Err(ErrorCode::NotInRoom.into()),
            // The app closes the entry, so its join cannot enter later.
            RoomState::Unconfirmed(join) => join.membership.clone(),
            RoomState::Inside(membership) | RoomState::Rejoining(membership, _) => {
                membership.named(self.user_id())
            }
        };
        let outcome = self.context.app.call(&Leave(membership), &app::new_event_id()).await;
        let has_left = match &outcome {
            Ok(_) => true,
            // Any final refusal means that the membership is gone already.
            Err(AppError::Refused { refusal, .. }) => !refusal.code.may_retry(),
            Err(AppError::Overloaded | AppError::CircuitOpen | AppError::NoResponse) => false,
        };
        if has_left && let RoomState::Unconfirmed(join) = std::mem::replace(&mut self.room, RoomState::Left) {
            join.disconnect.cancel();
        }
        Ok(outcome?)
    }
}

//! Leaving a room for good.

use rollcall_protocol::{ErrorCode, Refusal, client::Done, event::Leave};

use super::{Outbound, Session};
use crate::app::{self, AppError};

impl<O: Outbound> Session<O> {
    /// Leaves the room. Where the app does not answer or cannot do it at the moment, the session stays in the room.
    pub(super) async fn leave(&mut self) -> Result<Done, Refusal> {
        let membership = self.room.membership().ok_or(ErrorCode::NotInRoom)?;
        let leave = Leave(membership.named(self.user_id()));
        let outcome = self.context.app.call(&leave, &app::new_event_id()).await;
        let has_left = match &outcome {
            Ok(_) => true,
            // Any final refusal means that the membership is gone already.
            Err(AppError::Refused { refusal, .. }) => !refusal.code.may_retry(),
            Err(AppError::Overloaded | AppError::CircuitOpen | AppError::NoResponse) => false,
        };
        if has_left {
            self.room.take();
        }
        Ok(outcome?)
    }
}

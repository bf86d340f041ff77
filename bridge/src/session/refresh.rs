//! A new token before the old one expires.

use rollcall_protocol::{
    ErrorCode, Refusal,
    client::{Profile, RefreshRequest, Refreshed},
    event::Join,
    json,
};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::{Outbound, Session, auth, expiry::Expiry};
use crate::app::{self, AppError};

impl<O: Outbound> Session<O> {
    /// Accepts a new token of the same user. A new name or role reaches the room at once, and all other claims, such as
    /// a grant of a room, count from the next join on.
    pub(super) async fn refresh(&mut self, payload: &RawValue) -> Result<Refreshed, Refusal> {
        // The error is dropped because it may show a part of the token.
        let Ok(RefreshRequest { token }) = json::from_object_str(payload.get()) else {
            return Err(Refusal::because(
                ErrorCode::Malformed,
                "auth:refresh takes {\"token\": <a fresh token>}",
            ));
        };
        let identity = auth::identify(&self.context.app, Some(token)).await?;
        if identity.profile.user_id != *self.user_id() {
            return Err(ErrorCode::WrongUser.into());
        }
        if identity.profile != self.identity.profile {
            self.update_member(&identity.profile).await?;
        }
        self.expiry = Expiry::at(identity.expires_at_s);
        self.identity = identity;
        Ok(Refreshed { expires_at: self.expiry.at_ms() })
    }

    /// Brings a new name or role to the room that the session is in.
    async fn update_member(&mut self, profile: &Profile) -> Result<(), Refusal> {
        let Some(membership) = self.room.membership_mut() else { return Ok(()) };
        // Also after a failure: the app may have applied the number.
        membership.refreshes += 1;
        let Some(membership) = self.room.membership() else { return Ok(()) };
        let join = Join { profile: profile.clone(), ..self.same_join(membership) };
        match self.context.app.call(&join, &app::new_event_id()).await {
            Ok(_) => Ok(()),
            Err(AppError::Refused { refusal, .. }) if !refusal.code.may_retry() => {
                if refusal.code == ErrorCode::EntryClosed {
                    // The new entry brings the name.
                    self.room.schedule_rejoin(Instant::now());
                }
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

//! A new token before the old one expires.

use rollcall_protocol::{
    ErrorCode, Refusal,
    client::{RefreshRequest, Refreshed},
    json,
};
use serde_json::value::RawValue;

use super::{Outbound, Session, auth, expiry::Expiry};

impl<O: Outbound> Session<O> {
    /// Accepts a new token of the same user. Its other claims, such as a grant of a room, count from the next join on.
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
        self.expiry = Expiry::at(identity.expires_at_s);
        self.identity = identity;
        Ok(Refreshed { expires_at: self.expiry.at_ms() })
    }
}

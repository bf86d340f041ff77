//! How a session goes on when its token runs out.

use rollcall_protocol::{
    ErrorCode, Refusal,
    client::{RefreshRequest, Refreshed},
};
use serde_json::value::RawValue;

use super::{Expiry, Outbound, Session};
use crate::auth;

impl<O: Outbound> Session<O> {
    /// Takes a fresh token of the same user. What else it says, as of a session, counts from the next join on.
    pub(super) async fn refresh(&mut self, payload: &RawValue) -> Result<Refreshed, Refusal> {
        // The error is left aside, as it may show a part of the token.
        let Ok(RefreshRequest { token }) = serde_json::from_str(payload.get()) else {
            return Err(Refusal::because(
                ErrorCode::Malformed,
                "auth:refresh takes {\"token\": <a fresh token>}",
            ));
        };
        let identity = auth::identify(&self.gateway.app, Some(token)).await?;
        if identity.profile.user_id != self.identity.profile.user_id {
            return Err(ErrorCode::WrongUser.into());
        }
        self.expiry = Expiry::at(identity.expires_at_s);
        self.identity = identity;
        Ok(Refreshed { expires_at: self.expiry.at_ms() })
    }
}

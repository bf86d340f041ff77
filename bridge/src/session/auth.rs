//! Who a token speaks for. The app alone holds the keys; a bridge asks it.

use http::{HeaderMap, header};
use rollcall_protocol::{
    ErrorCode, Refusal, UserId,
    client::Identity,
    event::{BridgeEvent, Connect},
};
use uuid::Uuid;

use crate::{app::App, gateway::Gateway, tally, telemetry::metrics};

/// Somebody who has been let in.
pub(crate) struct Admission {
    pub(crate) identity: Identity,
    /// Counts among the user's sockets until it is dropped.
    pub(crate) seat: tally::Guard<UserId>,
}

/// Lets somebody in whose token is good, and who does not hold too many sockets already.
pub(crate) async fn admit(gateway: &Gateway, token: Option<String>) -> Result<Admission, Refusal> {
    let outcome = identify(&gateway.app, token).await.and_then(|identity| {
        let seat = gateway.sockets_per_user.enter(identity.profile.user_id.clone());
        Ok(Admission { seat: seat.ok_or(ErrorCode::TooManySockets)?, identity })
    });
    outcome.inspect_err(|refusal| metrics::connection_refused(refusal.code))
}

/// Asks the app who a token speaks for.
pub(crate) async fn identify(app: &App, token: Option<String>) -> Result<Identity, Refusal> {
    let token = token.filter(|token| !token.is_empty()).ok_or(ErrorCode::TokenMissing)?;
    let event = BridgeEvent::Connect(Connect { token });
    app.call(&event, &Uuid::now_v7().to_string()).await?.0
}

/// The token in a request's `Authorization` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bearer_tokens_are_taken() {
        let mut headers = HeaderMap::new();
        assert_eq!(bearer(&headers), None);
        headers.insert(header::AUTHORIZATION, "bearer a.b.c".parse().unwrap());
        assert_eq!(bearer(&headers).as_deref(), Some("a.b.c"));
        headers.insert(header::AUTHORIZATION, "Basic a.b.c".parse().unwrap());
        assert_eq!(bearer(&headers), None);
    }
}

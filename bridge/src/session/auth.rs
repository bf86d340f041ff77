//! Authenticates clients. The app alone holds the keys, so the bridge asks the app who a token speaks for.

use http::{HeaderMap, header};
use rollcall_protocol::{
    ErrorCode, Refusal, UserId,
    client::{Handshake, Identity},
    event::Connect,
    version,
};

use super::Context;
use crate::{
    app::{self, App},
    limits::permits::Permit,
    telemetry::metrics,
};

/// A client whose token the app has accepted.
pub(crate) struct Authenticated {
    pub(crate) identity: Identity,
    /// Counts the socket among the user's sockets.
    pub(crate) permit: Permit<UserId>,
}

/// Authenticates a client, unless it speaks another version of the protocol or the user holds too many sockets already.
pub(crate) async fn authenticate(context: &Context, handshake: Handshake) -> Result<Authenticated, Refusal> {
    let identity = match version::check(handshake.version) {
        Ok(()) => identify(&context.app, handshake.token).await,
        Err(refusal) => Err(refusal),
    };
    let outcome = identity.and_then(|identity| {
        let permit = context.sockets_per_user.try_acquire(identity.profile.user_id.clone());
        Ok(Authenticated { permit: permit.ok_or(ErrorCode::TooManySockets)?, identity })
    });
    outcome.inspect_err(|refusal| metrics::record_connection_refused(refusal.code))
}

/// Asks the app who a token speaks for.
pub(super) async fn identify(app: &App, token: Option<String>) -> Result<Identity, Refusal> {
    let token = token.filter(|token| !token.is_empty()).ok_or(ErrorCode::TokenMissing)?;
    Ok(app.call(&Connect { token }, &app::new_event_id()).await?)
}

/// The token in a request's `Authorization` header.
pub(crate) fn bearer_token(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_read_and_other_schemes_are_not() {
        let mut headers = HeaderMap::new();
        assert_eq!(bearer_token(&headers), None);
        headers.insert(header::AUTHORIZATION, "bearer a.b.c".parse().unwrap());
        assert_eq!(bearer_token(&headers).as_deref(), Some("a.b.c"));
        headers.insert(header::AUTHORIZATION, "Basic a.b.c".parse().unwrap());
        assert_eq!(bearer_token(&headers), None);
    }
}

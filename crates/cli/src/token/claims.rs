//! The claims of a token.

use anyhow::Context;
use jwt_simple::prelude::JWTClaims;
use serde_json::{Map, Value};

use super::TokenArgs;

pub(super) type Claims = Map<String, Value>;

/// Parses the value of `--claims`.
pub(super) fn parse(json: &str) -> Result<Claims, String> {
    serde_json::from_str(json).map_err(|error| format!("not a JSON object: {error}"))
}

/// Builds the claims that the flags describe.
pub(super) fn build(args: TokenArgs, now_s: u64) -> anyhow::Result<JWTClaims<Claims>> {
    let expires_at_s = now_s.checked_add(args.expires_in.as_secs()).context("that is too long")?;
    let mut claims = Claims::new();
    claims.insert("userId".to_owned(), args.user.as_str().into());
    claims.extend(args.name.map(|name| ("username".to_owned(), name.into())));
    claims.extend(args.role.map(|role| ("userRole".to_owned(), role.into())));
    claims.insert("iat".to_owned(), now_s.into());
    claims.insert("exp".to_owned(), expires_at_s.into());
    claims.extend(args.claims.unwrap_or_default());
    serde_json::from_value(claims.into()).context("a registered claim is not what it has to be")
}

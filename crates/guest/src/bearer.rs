//! Callers that show a bearer token.

use std::thread::LocalKey;

use hyperium::{HeaderMap, header::AUTHORIZATION};
use rollcall_protocol::{ErrorCode, Refusal};
use rollcall_rooms::Failure;
use subtle::{Choice, ConstantTimeEq};

use crate::{instance::PerInstance, variables};

/// Shorter tokens could be guessed.
const MIN_TOKEN_BYTES: usize = 16;

/// The tokens that count.
pub type Tokens = PerInstance<Vec<String>>;

/// Refuses with `UNAUTHORIZED` unless the request carries one of the tokens that a variable lists, separated by white
/// space: several at once, while they are rotated.
pub async fn authorize(
    headers: &HeaderMap,
    kept: &'static LocalKey<Tokens>,
    variable: &'static str,
) -> Result<(), Failure> {
    let tokens = PerInstance::get(kept, async || read_tokens(variable).await).await?;
    let presented = presented(headers).ok_or(ErrorCode::Unauthorized)?;
    // All are compared, each in constant time, so that the time taken tells nothing of the tokens.
    let is_known = tokens
        .iter()
        .fold(Choice::from(0), |known, token| known | token.as_bytes().ct_eq(presented.as_bytes()));
    if bool::from(is_known) { Ok(()) } else { Err(Refusal::from(ErrorCode::Unauthorized).into()) }
}

/// The token that a request carries, if any.
pub fn presented(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Without any, nobody is let in.
async fn read_tokens(variable: &str) -> Result<Vec<String>, Failure> {
    let tokens: Vec<_> = variables::get(variable).await?.split_whitespace().map(str::to_owned).collect();
    if tokens.iter().any(|token| token.len() < MIN_TOKEN_BYTES) {
        let hint = format!("{variable} must hold tokens of at least {MIN_TOKEN_BYTES} characters");
        return Err(variables::misconfigured(&hint));
    }
    Ok(tokens)
}

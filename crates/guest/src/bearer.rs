//! Authorization by bearer tokens.

use std::thread::LocalKey;

use hyperium::{HeaderMap, header::AUTHORIZATION};
use rollcall_protocol::{ErrorCode, Refusal};
use rollcall_rooms::Error;
use subtle::{Choice, ConstantTimeEq};

use crate::{instance::PerInstance, variables};

/// An attacker could guess shorter tokens.
const MIN_TOKEN_BYTES: usize = 16;

/// The accepted tokens.
pub type Tokens = PerInstance<Vec<String>>;

/// Refuses with `UNAUTHORIZED` unless the presented token is one of those in a variable, which lists tokens separated by
/// white space. A rotation needs several tokens at once.
pub async fn authorize(
    presented: Option<&str>,
    kept: &'static LocalKey<Tokens>,
    variable: &'static str,
) -> Result<(), Error> {
    let tokens = PerInstance::get(kept, async || read_tokens(variable).await).await?;
    let presented = presented.ok_or(ErrorCode::Unauthorized)?;
    // Comparing all tokens, each in constant time, keeps the duration independent of the tokens.
    let is_known = tokens
        .iter()
        .fold(Choice::from(0), |known, token| known | token.as_bytes().ct_eq(presented.as_bytes()));
    if bool::from(is_known) { Ok(()) } else { Err(Refusal::from(ErrorCode::Unauthorized).into()) }
}

/// The bearer token of a request.
pub fn presented(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// An empty list admits nobody.
async fn read_tokens(variable: &str) -> Result<Vec<String>, Error> {
    let tokens: Vec<_> = variables::get(variable).await?.split_whitespace().map(str::to_owned).collect();
    // No header can carry other characters.
    let is_usable =
        |token: &String| token.len() >= MIN_TOKEN_BYTES && token.bytes().all(|byte| byte.is_ascii_graphic());
    if !tokens.iter().all(is_usable) {
        let hint = format!("{variable} must hold tokens of at least {MIN_TOKEN_BYTES} ASCII characters");
        return Err(variables::misconfigured(&hint));
    }
    Ok(tokens)
}

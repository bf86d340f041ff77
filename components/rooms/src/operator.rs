//! Who may use the API.

use rollcall_guest::{instance::PerInstance, variables};
use rollcall_protocol::{ErrorCode, Refusal};
use rollcall_rooms::Failure;
use spin_sdk::http::HeaderMap;
use subtle::{Choice, ConstantTimeEq};

/// Shorter tokens could be guessed.
const MIN_TOKEN_BYTES: usize = 16;

thread_local! {
    static TOKENS: PerInstance<Vec<String>> = const { PerInstance::new() };
}

/// Refuses with `UNAUTHORIZED` unless the request carries one of the operators' tokens as its bearer token.
pub async fn authorize(headers: &HeaderMap) -> Result<(), Failure> {
    let tokens = PerInstance::get(&TOKENS, read_tokens).await?;
    let presented = bearer_token(headers).ok_or(ErrorCode::Unauthorized)?;
    // All are compared, each in constant time, so that the time taken tells nothing of the tokens.
    let is_known = tokens
        .iter()
        .fold(Choice::from(0), |known, token| known | token.as_bytes().ct_eq(presented.as_bytes()));
    if bool::from(is_known) { Ok(()) } else { Err(Refusal::from(ErrorCode::Unauthorized).into()) }
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get("authorization")?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Several at once, separated by white space, while they are rotated.
async fn read_tokens() -> Result<Vec<String>, Failure> {
    let list = variables::get("operator_tokens").await?;
    let tokens: Vec<_> = list.split_whitespace().map(str::to_owned).collect();
    if tokens.is_empty() || tokens.iter().any(|token| token.len() < MIN_TOKEN_BYTES) {
        let hint = format!("operator_tokens must hold tokens of at least {MIN_TOKEN_BYTES} characters");
        return Err(variables::misconfigured(&hint));
    }
    Ok(tokens)
}

//! Verification of clients' tokens.

use std::time::{SystemTime, UNIX_EPOCH};

use rollcall_protocol::client::Identity;
use rollcall_rooms::{Error, settings::parse_setting, token::TokenKeys};

use crate::{
    instance::PerInstance,
    variables::{get, misconfigured},
};

thread_local! {
    static KEYS: PerInstance<TokenKeys> = const { PerInstance::new() };
}

/// Verifies a token with the keys in the component's variables.
pub async fn verify(token: &str) -> Result<Identity, Error> {
    let keys = PerInstance::get(&KEYS, read_keys).await?;
    Ok(keys.verify(token, now_s())?)
}

async fn read_keys() -> Result<TokenKeys, Error> {
    let leeway_s = parse_setting("jwt_leeway_s", &get("jwt_leeway_s").await?, 0..=3600)
        .map_err(|error| misconfigured(&error))?;
    let (issuer, audience) = (get("jwt_issuer").await?, get("jwt_audience").await?);
    TokenKeys::parse(&get("jwt_keys").await?, &issuer, &audience, leeway_s)
        .map_err(|error| misconfigured(&error))
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

//! A client wants to connect: verifies its token and answers who it speaks for. Touches no Redis.

use std::time::{SystemTime, UNIX_EPOCH};

use rollcall_guest::{
    events,
    http::Response,
    instance::PerInstance,
    variables::{get, misconfigured},
};
use rollcall_protocol::{
    ErrorCode,
    client::Identity,
    event::{BridgeEvent, EventKind},
};
use rollcall_rooms::{Failure, settings::parse_setting, token::TokenKeys};
use spin_sdk::{http::Request, http_service};

thread_local! {
    static KEYS: PerInstance<TokenKeys> = const { PerInstance::new() };
}

#[http_service]
async fn handle(request: Request) -> Response {
    events::handle(request, EventKind::Connect, identify).await
}

async fn identify(event: BridgeEvent) -> Result<Identity, Failure> {
    let BridgeEvent::Connect(connect) = event else { return Err(ErrorCode::Malformed.into()) };
    let keys = PerInstance::get(&KEYS, read_keys).await?;
    Ok(keys.verify(&connect.token, now_s())?)
}

async fn read_keys() -> Result<TokenKeys, Failure> {
    let leeway_s = parse_setting("jwt_leeway_s", &get("jwt_leeway_s").await?, 0..=3600)
        .map_err(|error| misconfigured(&error))?;
    let (issuer, audience) = (get("jwt_issuer").await?, get("jwt_audience").await?);
    TokenKeys::parse(&get("jwt_keys").await?, &issuer, &audience, leeway_s)
        .map_err(|error| misconfigured(&error))
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

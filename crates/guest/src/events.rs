//! A bridge's event, from the HTTP request to the answer.

use std::{pin::pin, time::Duration};

use futures_util::future::{Either, select};
use rollcall_protocol::{
    call::{self, MAX_BODY_BYTES, Secret},
    event::{BridgeEvent, EventKind},
};
use rollcall_rooms::{Failure, settings::parse_setting};
use spin_sdk::http::Request;

use crate::{
    http::{self, Response},
    instance::PerInstance,
    variables,
};

thread_local! {
    static SECRETS: PerInstance<Vec<Secret>> = const { PerInstance::new() };
}

/// Handles a call that must deliver an event of the given kind: nothing of it is looked at before its signature
/// has been found good.
pub async fn handle<T: serde::Serialize>(
    mut request: Request,
    kind: EventKind,
    apply: impl AsyncFnOnce(BridgeEvent) -> Result<T, Failure>,
) -> Response {
    let origin = http::origin(&request);
    let result = async {
        let event = receive(&mut request, kind).await?;
        apply(event).await
    };
    origin.within(async { http::ack(result.await) }).await
}

async fn receive(request: &mut Request, kind: EventKind) -> Result<BridgeEvent, Failure> {
    let secrets = PerInstance::get(&SECRETS, read_secrets).await?;
    let body = http::read_body(request, MAX_BODY_BYTES).await?;
    Ok(call::verify(request.headers(), &body, kind, &secrets)?)
}

async fn read_secrets() -> Result<Vec<Secret>, Failure> {
    let list = variables::get("bridge_secrets").await?;
    call::parse_secrets(&list).map_err(|error| variables::misconfigured(&error))
}

/// Gives up on Redis after the component's variable `redis_timeout_ms`, because Spin sets no limit of its own.
/// What was begun may still happen; events are safe to deliver twice.
pub async fn within_time_limit<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let limit = variables::get("redis_timeout_ms").await?;
    let limit_ms = parse_setting("redis_timeout_ms", &limit, 1..=30_000)
        .map_err(|error| variables::misconfigured(&error))?;
    let clock = pin!(spin_sdk::time::sleep(Duration::from_millis(limit_ms)));
    match select(pin!(work), clock).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => {
            crate::redis::forget_connection();
            Err(Failure::Unavailable(format!("no answer from Redis within {limit_ms} ms")))
        }
    }
}

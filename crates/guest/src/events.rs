//! A bridge's event, from the HTTP request to the answer.

use std::{cell::OnceCell, pin::pin, time::Duration};

use futures_util::future::{Either, join_all, select};
use rollcall_protocol::{
    ErrorCode,
    batch::{self, Delivery, Outcome, Outcomes},
    call::{self, MAX_BODY_BYTES, Secret},
    client::{Ack, Done},
    event::{BridgeEvent, EventKind},
};
use rollcall_rooms::{Failure, settings::parse_setting};
use spin_sdk::http::Request;

use crate::{
    http::{self, Response},
    instance::PerInstance,
    log::Origin,
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

/// Handles a call that delivers one event of the given kind or a batch of them, each within the time limit.
pub async fn handle_each(
    mut request: Request,
    kind: EventKind,
    apply: impl AsyncFn(BridgeEvent) -> Result<Done, Failure>,
) -> Response {
    if !batch::is_batch(request.headers()) {
        return handle(request, kind, async |event| within_time_limit(apply(event)).await).await;
    }
    let origin = http::origin(&request);
    let result = async {
        let secrets = PerInstance::get(&SECRETS, read_secrets).await?;
        let body = http::read_body(&mut request, MAX_BODY_BYTES).await?;
        Ok(apply_all(batch::verify(request.headers(), &body, kind, &secrets)?, apply).await)
    };
    origin.within(async { http::ack(result.await) }).await
}

/// Applies the events of a batch, and tells of each what became of it.
async fn apply_all(
    deliveries: Vec<Delivery>,
    apply: impl AsyncFn(BridgeEvent) -> Result<Done, Failure>,
) -> Outcomes {
    let acks: Vec<OnceCell<Ack<Done>>> = deliveries.iter().map(|_| OnceCell::new()).collect();
    let each = async |(Delivery { id, traceparent, event }, ack): (&Delivery, &OnceCell<_>)| {
        let work = async { Ack(apply(event.clone()).await.map_err(http::refuse)) };
        let _ = ack.set(Origin::of_event(id, traceparent.as_deref()).within(work).await);
    };
    let all = async {
        let mut waiting = deliveries.iter().zip(&acks);
        // The first one alone: it opens the connection to Redis and loads the script where they are not there, so that
        // not all of the others do.
        if let Some(first) = waiting.next() {
            each(first).await;
        }
        join_all(waiting.map(each)).await;
        Ok(())
    };
    if let Err(failure) = within_time_limit(all).await {
        http::refuse(failure);
    }
    let outcomes = deliveries.into_iter().zip(acks).map(|(Delivery { id, .. }, ack)| {
        // Whoever has no answer by now may have been heard all the same; the bridge asks again.
        Outcome { id, ack: ack.into_inner().unwrap_or(ErrorCode::Unavailable.into()) }
    });
    Outcomes { outcomes: outcomes.collect() }
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

//! Handles events from bridges, from the HTTP request to the response.

use std::{cell::OnceCell, pin::pin, rc::Rc, time::Duration};

use bytes::Bytes;
use futures_util::future::{Either, join_all, select};
use rollcall_protocol::{
    ErrorCode, Refusal,
    batch::{self, BatchedEvent, Outcome, Outcomes},
    call::{self, MAX_BODY_BYTES, Secret},
    check,
    client::Done,
    event::{AppEvent, EventKind},
};
use rollcall_rooms::Error;
use spin_sdk::http::Request;

use crate::{
    http::{self, Response},
    instance::PerInstance,
    log::RequestContext,
    variables,
};

thread_local! {
    static SECRETS: PerInstance<Vec<Secret>> = const { PerInstance::new() };
}

/// Handles a call that delivers one event, or one that checks the component, within the time limit.
pub async fn handle<E: AppEvent>(
    request: Request,
    apply: impl AsyncFnOnce(E) -> Result<E::Response, Error>,
    check: impl AsyncFnOnce() -> Result<(), Error>,
) -> Response {
    let apply = async |event| within_time_limit(apply(event)).await;
    handle_without_limit(request, apply, async || within_time_limit(check()).await).await
}

/// Handles a call that delivers one event, or one that checks the component. The work limits itself.
pub async fn handle_without_limit<E: AppEvent>(
    mut request: Request,
    apply: impl AsyncFnOnce(E) -> Result<E::Response, Error>,
    check: impl AsyncFnOnce() -> Result<(), Error>,
) -> Response {
    if check::is_check(request.headers()) {
        return handle_check(request, E::KIND, check).await;
    }
    let context = http::request_context(&request);
    let result = async {
        let (secrets, body) = receive(&mut request).await?;
        apply(call::verify(request.headers(), &body, &secrets)?).await
    };
    context.within(async { http::ack(result.await) }).await
}

/// Handles a call that delivers one event or a batch of events, or one that checks the component, within the time limit.
pub async fn handle_each<E: AppEvent<Response = Done> + Clone>(
    mut request: Request,
    apply: impl AsyncFn(E) -> Result<Done, Error>,
    check: impl AsyncFnOnce() -> Result<(), Error>,
) -> Response {
    if !batch::is_batch(request.headers()) {
        return handle(request, async |event| apply(event).await, check).await;
    }
    let context = http::request_context(&request);
    let result = async {
        let (secrets, body) = receive(&mut request).await?;
        Ok(apply_all(batch::verify(request.headers(), &body, &secrets)?, apply).await)
    };
    context.within(async { http::ack(result.await) }).await
}

async fn handle_check(
    mut request: Request,
    component: EventKind,
    check: impl AsyncFnOnce() -> Result<(), Error>,
) -> Response {
    let context = http::request_context(&request);
    let verified = async {
        let (secrets, body) = receive(&mut request).await?;
        Ok(check::verify(request.headers(), &body, &secrets, component)?)
    };
    let response = async {
        match verified.await {
            Ok(()) => http::check_result(check().await),
            Err(error) => http::ack::<Done>(Err(error)),
        }
    };
    context.within(response).await
}

/// Applies the events of a batch. Returns one outcome for each event.
async fn apply_all<E: Clone>(
    events: Vec<BatchedEvent<E>>,
    apply: impl AsyncFn(E) -> Result<Done, Error>,
) -> Outcomes {
    let results: Vec<OnceCell<Result<Done, Refusal>>> = events.iter().map(|_| OnceCell::new()).collect();
    let apply_one =
        async |(BatchedEvent { id, traceparent, event }, result): (&BatchedEvent<E>, &OnceCell<_>)| {
            let work = async { apply(event.clone()).await.map_err(http::refuse) };
            let _ = result.set(RequestContext::of_event(id, traceparent.as_deref()).within(work).await);
        };
    let apply_all = async {
        let mut waiting = events.iter().zip(&results);
        // The first event runs alone, so that it alone connects to Redis and loads the script.
        if let Some(first) = waiting.next() {
            apply_one(first).await;
        }
        join_all(waiting.map(apply_one)).await;
        Ok(())
    };
    if let Err(error) = within_time_limit(apply_all).await {
        http::refuse(error);
    }
    let outcomes = events.into_iter().zip(results).map(|(BatchedEvent { id, .. }, result)| {
        // Redis may have applied an event whose result is missing. The bridge retries the event.
        let result = result.into_inner().unwrap_or(Err(ErrorCode::Unavailable.into()));
        Outcome { id, ack: result.into() }
    });
    Outcomes { outcomes: outcomes.collect() }
}

async fn receive(request: &mut Request) -> Result<(Rc<Vec<Secret>>, Bytes), Error> {
    let secrets = PerInstance::get(&SECRETS, read_secrets).await?;
    let body = http::read_body(request, MAX_BODY_BYTES).await?;
    Ok((secrets, body))
}

async fn read_secrets() -> Result<Vec<Secret>, Error> {
    let list = variables::get("bridge_secrets").await?;
    call::parse_secrets(&list).map_err(|error| variables::misconfigured(&error))
}

/// Limits work to the component's variable `redis_timeout_ms`, because Spin sets no limit on calls of Redis
/// and PostgreSQL.
///
/// Redis may still apply a call that the function no longer waits for. Bridges may repeat every event safely.
pub async fn within_time_limit<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let limit_ms = variables::redis_timeout_ms().await?;
    let clock = pin!(spin_sdk::time::sleep(Duration::from_millis(limit_ms)));
    match select(pin!(work), clock).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => {
            crate::redis::forget_connection();
            Err(Error::Unavailable(format!("no answer from Redis or PostgreSQL within {limit_ms} ms")))
        }
    }
}

//! Handles events from bridges, from the HTTP request to the response.

use std::{cell::OnceCell, pin::pin, rc::Rc, time::Duration};

use futures_util::future::{Either, LocalBoxFuture, join_all, select};
use rollcall_protocol::{
    ErrorCode, EventId, Refusal,
    batch::{self, BatchedEvent, Outcome, Outcomes},
    call::{self, MAX_BODY_BYTES, Secret},
    check,
    client::Done,
    event::{AppEvent, EventKind},
};
use rollcall_rooms::Error;
use serde_json::value::RawValue;
use spin_sdk::{
    http::{HeaderMap, Request},
    wasip3::http::types,
};

use crate::{
    http::{self, Response},
    instance::PerInstance,
    log::RequestContext,
    redis, variables,
};

thread_local! {
    static SECRETS: PerInstance<Vec<Secret>> = const { PerInstance::new() };
}

/// A call from a bridge, of which only the headers have been read.
///
/// The request of the SDK asks the host for seven things more, of which an event needs none.
pub struct Call {
    headers: HeaderMap,
    received: types::Request,
}

impl Call {
    /// Reads the headers.
    pub fn receive(received: types::Request) -> Result<Self, types::ErrorCode> {
        Ok(Self { headers: received.get_headers().try_into()?, received })
    }

    /// Takes a request whose path chose events.
    pub fn from_request(mut request: Request) -> Result<Self, Error> {
        let received = http::take_body(&mut request)?;
        Ok(Self { headers: request.into_parts().0.headers, received })
    }
}

/// Exports a function from a [`Call`] to a response as the HTTP handler of a component.
#[macro_export]
macro_rules! export_events {
    ($handle:path) => {
        struct Component;

        ::spin_sdk::wasip3::http::service::export!(Component);

        impl ::spin_sdk::wasip3::exports::http::handler::Guest for Component {
            async fn handle(
                received: ::spin_sdk::wasip3::http::types::Request,
            ) -> Result<::spin_sdk::wasip3::http::types::Response, ::spin_sdk::wasip3::http::types::ErrorCode>
            {
                let call = $crate::events::Call::receive(received)?;
                ::spin_sdk::http::IntoResponse::into_response($handle(call).await)
            }
        }
    };
}

/// The work of one call.
type Work<'a> = LocalBoxFuture<'a, Result<(), Error>>;

/// Handles a call that delivers one event or a batch of events, or one that checks the component, within the time limit.
pub async fn handle<E: AppEvent>(
    call: Call,
    apply: impl AsyncFn(E) -> Result<E::Response, Error>,
    check: impl AsyncFnOnce() -> Result<(), Error>,
) -> Response {
    handle_call(call, apply, check, async |work: Work<'_>| within_time_limit(work).await).await
}

/// Handles a call that delivers one event or a batch of events, or one that checks the component. The work limits
/// itself.
pub async fn handle_without_limit<E: AppEvent>(
    call: Call,
    apply: impl AsyncFn(E) -> Result<E::Response, Error>,
    check: impl AsyncFnOnce() -> Result<(), Error>,
) -> Response {
    handle_call(call, apply, check, async |work: Work<'_>| work.await).await
}

async fn handle_call<E: AppEvent>(
    call: Call,
    apply: impl AsyncFn(E) -> Result<E::Response, Error>,
    check: impl AsyncFnOnce() -> Result<(), Error>,
    limit: impl AsyncFnOnce(Work<'_>) -> Result<(), Error>,
) -> Response {
    if check::is_check(&call.headers) {
        return handle_check(call, E::KIND, async || limit(Box::pin(check())).await).await;
    }
    let context = http::request_context(&call.headers);
    let is_batch = batch::is_batch(&call.headers);
    let response = async {
        if is_batch {
            http::ack(apply_batch(call, apply, limit).await)
        } else {
            http::ack(apply_one(call, apply, limit).await)
        }
    };
    context.within(response).await
}

async fn handle_check(
    call: Call,
    component: EventKind,
    check: impl AsyncFnOnce() -> Result<(), Error>,
) -> Response {
    let context = http::request_context(&call.headers);
    let verified = async {
        let Received { headers, body, secrets } = receive(call).await?;
        Ok(check::verify(&headers, &body, &secrets, component)?)
    };
    let response = async {
        match verified.await {
            Ok(()) => http::check_result(check().await),
            Err(error) => http::ack::<Done>(Err(error)),
        }
    };
    context.within(response).await
}

async fn apply_one<E: AppEvent>(
    call: Call,
    apply: impl AsyncFn(E) -> Result<E::Response, Error>,
    limit: impl AsyncFnOnce(Work<'_>) -> Result<(), Error>,
) -> Result<E::Response, Error> {
    let Received { headers, body, secrets } = receive(call).await?;
    let event = call::verify(&headers, &body, &secrets)?;
    let result = OnceCell::new();
    let work = async {
        let _ = result.set(apply(event).await);
        Ok(())
    };
    limit(Box::pin(work)).await?;
    result.into_inner().unwrap_or(Err(ErrorCode::Unavailable.into()))
}

async fn apply_batch<E: AppEvent>(
    call: Call,
    apply: impl AsyncFn(E) -> Result<E::Response, Error>,
    limit: impl AsyncFnOnce(Work<'_>) -> Result<(), Error>,
) -> Result<Outcomes<Box<RawValue>>, Error> {
    let Received { headers, body, secrets } = receive(call).await?;
    let outcomes = apply_all(batch::verify(&headers, &body, &secrets)?, apply, limit).await;
    Outcomes::fit(outcomes).map_err(|error| Error::Unavailable(error.to_string()))
}

/// Applies the events of a batch at the same time, over one connection to Redis. Returns one outcome for each event.
async fn apply_all<E: AppEvent>(
    events: Vec<BatchedEvent<E>>,
    apply: impl AsyncFn(E) -> Result<E::Response, Error>,
    limit: impl AsyncFnOnce(Work<'_>) -> Result<(), Error>,
) -> impl Iterator<Item = Outcome<E::Response>> {
    let ids: Vec<EventId> = events.iter().map(|event| event.id.clone()).collect();
    let results: Vec<OnceCell<Result<E::Response, Refusal>>> = ids.iter().map(|_| OnceCell::new()).collect();
    let apply_event =
        async |(BatchedEvent { id, traceparent, event }, result): (BatchedEvent<E>, &OnceCell<_>)| {
            let work = async { apply(event?).await.map_err(http::refuse) };
            let _ = result.set(RequestContext::of_event(&id, traceparent.as_deref()).within(work).await);
        };
    let work = async {
        let mut waiting = events.into_iter().zip(&results);
        // The first event runs alone where it has to connect, so that the others find its connection.
        if !redis::is_connected()
            && let Some(first) = waiting.next()
        {
            apply_event(first).await;
        }
        join_all(waiting.map(apply_event)).await;
        Ok(())
    };
    if let Err(error) = limit(Box::pin(work)).await {
        http::refuse(error);
    }
    ids.into_iter().zip(results).map(|(id, result)| {
        // Redis may have applied an event whose result is missing. The bridge retries the event.
        let result = result.into_inner().unwrap_or(Err(ErrorCode::Unavailable.into()));
        Outcome { id, ack: result.into() }
    })
}

/// A whole call, and what verifies it.
struct Received {
    headers: HeaderMap,
    body: Vec<u8>,
    secrets: Rc<Vec<Secret>>,
}

async fn receive(Call { headers, received }: Call) -> Result<Received, Error> {
    let secrets = PerInstance::get(&SECRETS, read_secrets).await?;
    let body = http::read_body(&headers, received, MAX_BODY_BYTES).await?;
    Ok(Received { headers, body, secrets })
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
    redis::sleep_by(|time| Box::pin(spin_sdk::time::sleep(time)));
    let limit_ms = variables::redis_timeout_ms().await?;
    let clock = pin!(spin_sdk::time::sleep(Duration::from_millis(limit_ms)));
    match select(pin!(work), clock).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => {
            redis::forget_connections();
            Err(Error::Unavailable(format!("no answer from Redis or PostgreSQL within {limit_ms} ms")))
        }
    }
}

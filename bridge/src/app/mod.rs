//! Calls the app: over HTTP, or in this process. The app recognises an event by its id, so an event may be sent again
//! when the outcome of the first attempt is unknown.
//!
//! | module | what it does |
//! |---|---|
//! | [`args`] | flags: where the app is, and the limits of calls |
//! | [`transport`] | sends a request to wherever the app is: [`http`] or [`in_process`] |
//! | [`queue`] | holds the events of one kind that wait for a call |
//! | [`dispatch`] | decides when they are sent, and which of them go together |
//! | [`batch`] | makes one call with them, and hands each its outcome |
//! | [`attempt`] | makes one attempt to call the app |
//! | [`check`] | asks each component whether it could handle its events |
//! | [`concurrency`] | limits how many calls run at the same time |
//! | [`circuit_breaker`] | stops calls while the app is away |
//! | [`retry`] | decides when to try again |
//! | [`error`] | why a call did not succeed |
//! | [`observe`] | records each attempt in metrics, traces and logs |
//! | [`routes`] | the app's own HTTP routes, with the app in this process |
//! | [`sweep_timer`] | knows when this bridge should ask for a sweep |

pub(crate) mod args;
mod attempt;
mod batch;
mod check;
mod circuit_breaker;
mod concurrency;
mod dispatch;
mod error;
mod http;
#[cfg(feature = "in-process")]
mod in_process;
mod observe;
mod queue;
mod retry;
#[cfg(feature = "in-process")]
mod routes;
pub(crate) mod sweep_timer;
mod transport;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use backon::{ExponentialBuilder, Retryable};
use rollcall_protocol::{
    EventJson, NodeId,
    call::Secret,
    command::Command,
    event::{AppEvent, EventKind},
};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::time::timeout;
use uuid::Uuid;

use self::{
    args::{AppLocation, CallLimits},
    circuit_breaker::CircuitBreaker,
    concurrency::ConcurrencyLimit,
    error::AttemptError,
    queue::EventQueue,
    transport::Transport,
};
pub(crate) use self::{check::UnusableComponent, error::AppError};

/// The app.
pub(crate) struct App {
    transport: Transport,
    /// The bridge node that signs the calls.
    node: NodeId,
    secret: Secret,
    timeout: Duration,
    /// One for each kind of events, in the order of [`EventKind::ALL`].
    queues: Vec<EventQueue>,
    concurrency: ConcurrencyLimit,
    circuit_breaker: CircuitBreaker,
}

/// A new id for an event or a call.
pub(crate) fn new_event_id() -> String {
    Uuid::now_v7().to_string()
}

impl App {
    /// Prepares calls to the app; starts the app if it runs in this process.
    pub(crate) async fn new(
        location: AppLocation,
        node: NodeId,
        secret: Secret,
        CallLimits { timeout, max_calls, max_joins }: CallLimits,
    ) -> anyhow::Result<Self> {
        let transport = Transport::open(location).await?;
        Ok(Self {
            transport,
            node,
            secret,
            timeout,
            queues: EventKind::ALL.iter().copied().map(EventQueue::new).collect(),
            concurrency: ConcurrencyLimit::new(max_calls, max_joins),
            circuit_breaker: CircuitBreaker::default(),
        })
    }

    /// Sends the queued events of a kind until the future is dropped.
    pub(crate) async fn dispatch(self: Arc<Self>, kind: EventKind) {
        let send = |events| {
            let app = Arc::clone(&self);
            async move { app.send(app.queue(kind), events).await }
        };
        dispatch::run(self.queue(kind), &self.concurrency, send).await;
    }

    /// Sends an event for which a client waits. Returns within the time limit, waiting and retries included.
    pub(crate) async fn call<E: AppEvent>(&self, event: &E, event_id: &str) -> Result<E::Response, AppError> {
        self.call_json(E::KIND, EventJson::new(event), event_id).await
    }

    /// Sends a command for which a client waits. Returns within the time limit, waiting and retries included.
    pub(crate) async fn command(
        &self,
        kind: EventKind,
        command: &Command<'_>,
        event_id: &str,
    ) -> Result<Box<RawValue>, AppError> {
        self.call_json(kind, EventJson::of_command(kind, command), event_id).await
    }

    async fn call_json<T: DeserializeOwned>(
        &self,
        kind: EventKind,
        json: serde_json::Result<EventJson>,
        event_id: &str,
    ) -> Result<T, AppError> {
        let mut attempts = 0;
        let may_retry = |error: &AttemptError| error.was_sent() && error.is_temporary();
        let response = self.send_repeatedly(json, event_id, retry::briefly(), may_retry, &mut attempts);
        let response = timeout(self.timeout, response)
            .await
            .unwrap_or_else(|_| Err(Arc::new(AttemptError::Timeout(self.timeout))));
        response.map_err(|error| into_app_error(kind, event_id, &error, attempts))
    }

    /// Sends an event for which no client waits. Keeps trying for about two minutes while the app is away.
    pub(crate) async fn deliver<E: AppEvent>(
        &self,
        event: &E,
        event_id: &str,
    ) -> Result<E::Response, AppError> {
        let mut attempts = 0;
        let may_retry = AttemptError::is_temporary;
        let json = EventJson::new(event);
        let response =
            self.send_repeatedly(json, event_id, retry::patiently(), may_retry, &mut attempts).await;
        // An attempt may have reached the app even if the last one was not sent.
        response.map_err(|error| match &*error {
            AttemptError::Refused(refusal) => AppError::Refused { refusal: refusal.clone(), attempts },
            error => no_response(E::KIND, event_id, error),
        })
    }

    /// Sends an event for which no client waits, again and again until the app has answered for good.
    pub(crate) async fn report<E: AppEvent>(
        &self,
        event: &E,
        event_id: &str,
    ) -> Result<E::Response, AppError> {
        let mut attempts = 0;
        let may_retry = |error: &AttemptError| !error.is_final();
        let json = EventJson::new(event);
        let response = self.send_repeatedly(json, event_id, retry::always(), may_retry, &mut attempts).await;
        response.map_err(|error| into_app_error(E::KIND, event_id, &error, attempts))
    }

    /// The app's own HTTP routes, and the address on which to serve them. `None` if the app is elsewhere, or is not to be
    /// served. `body_limit`: how long the body of a request may take.
    pub(crate) fn routes(&self, body_limit: Duration) -> Option<(SocketAddr, Router)> {
        self.transport.routes(body_limit)
    }

    /// Lets go of the app; stops it if it runs in this process.
    pub(crate) async fn close(&self) {
        self.transport.close().await;
    }

    /// Makes attempts until one succeeds, its error is not to be repeated, or the pauses end. Counts the attempts.
    async fn send_repeatedly<T: DeserializeOwned>(
        &self,
        json: serde_json::Result<EventJson>,
        event_id: &str,
        pauses: ExponentialBuilder,
        may_retry: fn(&AttemptError) -> bool,
        attempts: &mut u32,
    ) -> Result<T, Arc<AttemptError>> {
        let json = Arc::new(json.map_err(|error| AttemptError::Call(error.into()))?);
        let once = || {
            *attempts += 1;
            self.send_once(&json, event_id)
        };
        once.retry(pauses).when(|error| may_retry(error)).await
    }

    async fn send_once<T: DeserializeOwned>(
        &self,
        json: &Arc<EventJson>,
        event_id: &str,
    ) -> Result<T, Arc<AttemptError>> {
        // A bridge has one heartbeat at a time. The heartbeat costs little, and the bridge must know whether the app
        // answers it.
        if json.kind() != EventKind::Heartbeat && !self.circuit_breaker.admits() {
            return Err(Arc::new(AttemptError::CircuitOpen));
        }
        // An event that waits for half of the time has the other half for one attempt.
        let response = self.queue(json.kind()).send(event_id, Arc::clone(json), self.timeout / 2).await?;
        serde_json::from_str(response.get())
            .map_err(|error| Arc::new(AttemptError::Unreadable(::http::StatusCode::OK, error)))
    }

    fn queue(&self, kind: EventKind) -> &EventQueue {
        &self.queues[kind as usize]
    }

    /// The time limit of one attempt. One lost response must not use up the time that a second attempt needs.
    fn attempt_timeout(&self) -> Duration {
        self.timeout / 2
    }
}

/// Logs why the last attempt failed, unless the app refused, and says what that means for the event.
fn into_app_error(kind: EventKind, request_id: &str, error: &AttemptError, attempts: u32) -> AppError {
    let not_asked = match error {
        AttemptError::Refused(refusal) => return AppError::Refused { refusal: refusal.clone(), attempts },
        // An earlier attempt may have reached the app.
        AttemptError::Overloaded if attempts <= 1 => AppError::Overloaded,
        AttemptError::CircuitOpen if attempts <= 1 => AppError::CircuitOpen,
        error => return no_response(kind, request_id, error),
    };
    // Many calls end so at the same time, and metrics count them.
    tracing::debug!(request_id, kind = kind.ce_type(), error = %not_asked, "app.not_asked");
    not_asked
}

fn no_response(kind: EventKind, request_id: &str, error: &AttemptError) -> AppError {
    tracing::warn!(request_id, kind = kind.ce_type(), %error, "app.unavailable");
    AppError::NoResponse
}

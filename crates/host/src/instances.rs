//! The lives of instances of HTTP components.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::time::{Sleep, sleep};
use tokio_util::{sync::WaitForCancellationFutureOwned, task::task_tracker::TaskTrackerToken};
use wasmtime::{Store, StoreContextMut, component::GuestTaskId};
use wasmtime_wasi_http::{
    WasiHttpView,
    handler::{HandlerState, Instance, ProxyPre, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus},
};

use crate::{
    runtime::Runtime,
    state::{Grants, State},
};

/// As in Spin.
const MAX_REQUESTS: usize = 128;
/// As in Spin.
const MAX_CONCURRENT_REQUESTS: usize = 16;
/// As in Spin.
const MAX_IDLE: Duration = Duration::from_secs(1);
/// How much earlier than an instance's limit, which fails all of its requests, a request's own limit applies.
const EXPIRY_MARGIN: Duration = Duration::from_secs(1);

/// Starts the instances of one component.
pub(crate) struct Instances {
    pub(crate) runtime: Runtime,
    pub(crate) component: Arc<Grants>,
    pub(crate) pre: ProxyPre<State>,
}

impl HandlerState for Instances {
    type StoreData = State;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<State, Expiration, Worker>> {
        let expiration = Expiration::new(&self.runtime);
        let mut store = State::store(&self.runtime.engine, self.component.clone());
        let proxy = self.pre.instantiate_async(&mut store).await?;
        let state = Worker { component: self.component.clone(), time_limit: self.runtime.time_limit };
        Ok(Instance { store, proxy, view: State::http, expiration, state })
    }
}

/// The number of requests that an instance takes.
pub(crate) struct Worker {
    component: Arc<Grants>,
    time_limit: Duration,
}

impl WorkerState for Worker {
    type StoreData = State;
    type RequestData = ();

    fn should_accept_request(&self, concurrent_count: usize, total_count: usize) -> ShouldAccept {
        if total_count >= MAX_REQUESTS {
            return ShouldAccept::Never;
        }
        if concurrent_count >= MAX_CONCURRENT_REQUESTS {
            return ShouldAccept::No;
        }
        ShouldAccept::Yes
    }

    fn on_request_start(
        &self,
        _: StoreContextMut<'_, State>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        Box::pin(sleep(self.time_limit))
    }

    fn drop(&self, _: Store<State>, result: wasmtime::Result<()>) {
        if let Err(error) = result {
            tracing::error!(component = self.component.name, "instance failed: {error:?}");
        }
    }
}

/// The end of an instance that has not failed.
pub(crate) struct Expiration {
    time_limit: Duration,
    timer: Pin<Box<Sleep>>,
    closing: Pin<Box<WaitForCancellationFutureOwned>>,
    /// The host counts instances by these tokens, each of which outlives its instance.
    _running: TaskTrackerToken,
}

impl Expiration {
    fn new(runtime: &Runtime) -> Self {
        Self {
            time_limit: runtime.time_limit,
            timer: Box::pin(sleep(MAX_IDLE)),
            closing: Box::pin(runtime.closing.clone().cancelled_owned()),
            _running: runtime.running.token(),
        }
    }
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        status: WorkerStatus,
        start: Instant,
    ) -> Poll<()> {
        let limit = match status {
            WorkerStatus::Idle if self.closing.as_mut().poll(cx).is_ready() => return Poll::Ready(()),
            WorkerStatus::Idle => MAX_IDLE,
            WorkerStatus::Requests | WorkerStatus::PostReturn => self.time_limit + EXPIRY_MARGIN,
        };
        let deadline = tokio::time::Instant::from_std(start) + limit;
        if self.timer.deadline() != deadline {
            self.timer.as_mut().reset(deadline);
        }
        self.timer.as_mut().poll(cx)
    }
}

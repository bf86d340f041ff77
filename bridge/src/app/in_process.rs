//! The app in this process: its components and its schedules.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use bytes::Bytes;
use http::{Request, Response};
use rollcall_host::{Host, Options, variables_from_env};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    args::LocalApp,
    routes::{Callers, Routes},
};

/// The app in this process.
pub(super) struct InProcessApp {
    host: Host,
    listen: Option<SocketAddr>,
    callers: Arc<Callers>,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl InProcessApp {
    /// Loads the app and starts its schedules.
    pub(super) async fn start(app: LocalApp) -> anyhow::Result<Self> {
        let variables = variables_from_env(std::env::vars());
        let callers = Arc::new(Callers::new(&variables));
        let options = Options {
            manifest: app.manifest,
            variables,
            key_value_redis: app.redis_url,
            component_cache: app.component_cache,
        };
        let started = Self {
            host: Host::load(options).await?,
            listen: app.listen,
            callers,
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        };
        started.run_cron();
        started.evict_idle_callers();
        Ok(started)
    }

    /// The app's HTTP routes, and the address on which to serve them, if there is one.
    pub(super) fn routes(&self, body_limit: Duration) -> Option<(SocketAddr, Router)> {
        let routes = Routes { host: self.host.clone(), callers: Arc::clone(&self.callers), body_limit };
        self.listen.map(|address| (address, routes.into_router()))
    }

    fn run_cron(&self) {
        let host = self.host.clone();
        let stopping = self.stopping.clone();
        self.tasks.spawn(async move { host.run_cron(stopping.cancelled()).await });
    }

    /// Evicts callers of the HTTP routes that have been quiet for a while, until the app is closed.
    fn evict_idle_callers(&self) {
        let (callers, stopping) = (Arc::clone(&self.callers), self.stopping.clone());
        self.tasks.spawn(async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = callers.evict_idle() => {}
            }
        });
    }

    pub(super) async fn send(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.host.handle(request).await
    }

    pub(super) async fn close(&self) {
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.host.clone().close().await;
    }
}

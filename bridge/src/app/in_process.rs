//! The app in this process: its components, its schedules, and optionally its HTTP routes.

use anyhow::Context;
use bytes::Bytes;
use http::{Request, Response};
use rollcall_host::{Host, Options, variables_from_env};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{args::LocalApp, sweeper};

/// The app in this process.
pub(super) struct InProcessApp {
    host: Host,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl InProcessApp {
    /// Loads the app and starts its schedules.
    pub(super) async fn start(app: LocalApp) -> anyhow::Result<Self> {
        let mut variables = variables_from_env(std::env::vars());
        let sweep_token = Uuid::new_v4().to_string();
        let sweep_tokens = variables.entry("sweep_tokens".to_owned()).or_default();
        *sweep_tokens = format!("{sweep_tokens} {sweep_token}");
        let options = Options {
            manifest: app.manifest,
            variables,
            key_value_redis: app.redis_url,
            component_cache: app.component_cache,
        };
        let host = Host::load(options).await?;
        let started = Self { host, tasks: TaskTracker::new(), stopping: CancellationToken::new() };
        if let Some(address) = app.listen {
            let listener =
                TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
            started.serve(listener);
        }
        started.run_cron();
        started.sweep_on_time(sweep_token);
        Ok(started)
    }

    fn serve(&self, listener: TcpListener) {
        let host = self.host.clone();
        let stopping = self.stopping.clone();
        self.tasks.spawn(async move {
            if let Err(error) = host.serve(listener, stopping.cancelled()).await {
                tracing::error!(error = format!("{error:#}"), "app.not_served");
            }
        });
    }

    fn run_cron(&self) {
        let host = self.host.clone();
        let stopping = self.stopping.clone();
        self.tasks.spawn(async move { host.run_cron(stopping.cancelled()).await });
    }

    fn sweep_on_time(&self, token: String) {
        let host = self.host.clone();
        let stopping = self.stopping.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = sweeper::run(&host, &token) => {}
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

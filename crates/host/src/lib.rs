//! Runs the components of a `spin.toml` in this process, as Spin does.
//!
//! - `manifest`, `template`, `variables`, `routes`, `allowed_hosts` read the description of an application;
//! - `app` loads an application with the `engine`; all components share a `runtime`;
//! - `http` and `instances` run HTTP components, `cron` runs components on a schedule; each instance has a `state`;
//! - `redis` (with `reply`), `postgres`, `key_value`, `outbound_http`, `variables` and `output` implement the imports of components;
//!
//! Components get no files, no environment and no sockets.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod allowed_hosts;
mod app;
mod bindings;
#[cfg(test)]
mod budgets;
mod cron;
mod engine;
mod http;
mod instances;
mod key_value;
mod manifest;
mod outbound_http;
mod output;
mod postgres;
mod redis;
mod reply;
mod routes;
mod runtime;
mod state;
mod template;
mod variables;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use ::http::{Request, Response, StatusCode};
use anyhow::{Context, Result};
use app::App;
use bytes::Bytes;
use chrono::Utc;
use futures_util::future::join_all;
pub use variables::variables_from_env;

/// The options of an application.
pub struct Options {
    /// The path of the `spin.toml`. Paths in the file are relative to the file.
    pub manifest: PathBuf,
    /// The values of the application's variables by name; see [`variables_from_env`].
    pub variables: BTreeMap<String, String>,
    /// The URL of the Redis with the key-value stores.
    pub key_value_redis: String,
    /// The folder that keeps compiled components. Whoever can write to the folder can run code in this process.
    pub component_cache: Option<PathBuf>,
}

/// A running application. Clones share the application.
#[derive(Clone)]
pub struct Host(Arc<App>);

impl Host {
    /// Loads the application. Errors name a remedy.
    pub async fn load(options: Options) -> Result<Self> {
        App::load(options).await.map(|app| Self(Arc::new(app)))
    }

    /// Routes a request and returns the component's response.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let component = self.0.routes.find(request.uri().path()).and_then(|name| self.0.http.get(name));
        let Some(component) = component else {
            return http::plain(StatusCode::NOT_FOUND, "no component has this route");
        };
        component.handle(request).await
    }

    /// Runs components on their schedules until `shutdown`, and logs their errors.
    pub async fn run_cron(&self, shutdown: impl Future<Output = ()>) {
        let schedules = join_all(self.0.cron.iter().map(|(schedule, component)| schedule.run(component)));
        tokio::select! {
            () = shutdown => {}
            _ = schedules, if !self.0.cron.is_empty() => {}
        }
    }

    /// Runs a component as if its tick were due now.
    pub async fn fire_cron(&self, component: &str) -> Result<()> {
        let found = self.0.cron.iter().find(|(_, candidate)| candidate.name() == component);
        let (_, component) =
            found.with_context(|| format!("no [[trigger.cron]] has the component \"{component}\""))?;
        component.fire(Utc::now()).await
    }

    /// Waits for the end of all instances. Callers must wait before the async runtime ends.
    pub async fn close(self) {
        self.0.runtime.close().await;
    }
}

//! Flags for the app: where it is, and how it is called.

#[cfg(feature = "in-process")]
use std::env;
use std::{net::SocketAddr, path::PathBuf, time::Duration};

#[cfg(not(feature = "in-process"))]
use anyhow::bail;
use anyhow::{Context, ensure};
use clap::Args;
use http::Uri;

use super::concurrency::RESERVED_CALLS;

/// Flags for the app.
#[derive(Args)]
pub(crate) struct AppArgs {
    /// The app: the URL where it is served, or the path of a spin.toml to run in this process.
    #[arg(
        long,
        env = "ROLLCALL_APP",
        hide_env_values = true,
        default_value = "spin.toml",
        value_name = "URL|PATH"
    )]
    app: String,

    /// Address on which to serve the app's own HTTP routes; only with the app in this process. Strangers may reach it:
    /// its limits of connections, bodies and rates are fixed.
    #[arg(long, env = "ROLLCALL_APP_LISTEN", value_name = "ADDRESS")]
    app_listen: Option<SocketAddr>,

    /// Folder that keeps compiled components, so that the next start takes less than a second; only with the app in this
    /// process. Whoever can write to the folder can run code in this process. By default, `rollcall` in the cache folder
    /// of the user.
    #[arg(long, env = "ROLLCALL_COMPONENT_CACHE", value_name = "FOLDER")]
    component_cache: Option<PathBuf>,

    /// Time limit for an answer of the app, all retries together, in milliseconds. After it, the client gets
    /// UNAVAILABLE.
    #[arg(
        long,
        env = "ROLLCALL_APP_TIMEOUT_MS",
        default_value_t = 5_000,
        value_name = "MS",
        value_parser = clap::value_parser!(u64).range(100..=60_000)
    )]
    app_timeout_ms: u64,

    /// Most calls to the app at the same time. Further calls wait for half of --app-timeout-ms; then their clients get
    /// OVERLOADED.
    #[arg(
        long,
        env = "ROLLCALL_MAX_CALLS",
        default_value_t = 256,
        value_name = "COUNT",
        value_parser = clap::value_parser!(u16).range(4..=1000)
    )]
    max_calls: u16,

    /// Most joins among those calls, so that a rush of joins leaves room for other calls. At least three less than
    /// --max-calls.
    #[arg(
        long,
        env = "ROLLCALL_MAX_JOINS",
        default_value_t = 128,
        value_name = "COUNT",
        value_parser = clap::value_parser!(u16).range(1..=1000)
    )]
    max_joins: u16,
}

/// Where the app is.
pub(crate) enum AppLocation {
    /// Served elsewhere.
    Http(Uri),
    /// Run in this process.
    #[cfg(feature = "in-process")]
    InProcess(LocalApp),
}

/// An app to run in this process.
#[cfg(feature = "in-process")]
pub(crate) struct LocalApp {
    pub(crate) manifest: PathBuf,
    /// Address on which to serve the app's HTTP routes as well.
    pub(crate) listen: Option<SocketAddr>,
    /// Redis for the app's key-value store. The URL may hold a password.
    pub(crate) redis_url: String,
    pub(crate) component_cache: Option<PathBuf>,
}

/// Limits of calls to the app.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallLimits {
    /// Time limit for an answer, all retries together.
    pub(crate) timeout: Duration,
    /// Most calls at the same time.
    pub(crate) max_calls: usize,
    /// Most joins among those calls.
    pub(crate) max_joins: usize,
}

impl AppArgs {
    /// Checks the limits of calls.
    pub(crate) fn call_limits(&self) -> anyhow::Result<CallLimits> {
        ensure!(
            usize::from(self.max_joins) + RESERVED_CALLS <= self.max_calls.into(),
            "--max-joins must be at least {} below --max-calls, or a rush of joins leaves no room for others",
            RESERVED_CALLS,
        );
        Ok(CallLimits {
            timeout: Duration::from_millis(self.app_timeout_ms),
            max_calls: self.max_calls.into(),
            max_joins: self.max_joins.into(),
        })
    }

    /// Checks where the app is. An app in this process keeps its key-value store in the Redis at `redis_url`.
    pub(crate) fn location(self, redis_url: String) -> anyhow::Result<AppLocation> {
        if !self.app.contains("://") {
            return AppLocation::in_process(&self.app, self.app_listen, redis_url, self.component_cache);
        }
        ensure!(self.app_listen.is_none(), "--app-listen only works when --app is the path of a spin.toml");
        let uri: Uri = self.app.parse().context("--app is not a URL")?;
        ensure!(
            matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none(),
            "--app must be an http:// or https:// URL without a query, or the path of a spin.toml"
        );
        Ok(AppLocation::Http(uri))
    }
}

impl AppLocation {
    #[cfg(feature = "in-process")]
    #[expect(clippy::unnecessary_wraps, reason = "it fails without the feature")]
    fn in_process(
        manifest: &str,
        listen: Option<SocketAddr>,
        redis_url: String,
        component_cache: Option<PathBuf>,
    ) -> anyhow::Result<Self> {
        let component_cache = component_cache.or_else(default_component_cache);
        Ok(Self::InProcess(LocalApp { manifest: manifest.into(), listen, redis_url, component_cache }))
    }

    #[cfg(not(feature = "in-process"))]
    fn in_process(
        manifest: &str,
        _: Option<SocketAddr>,
        _: String,
        _: Option<PathBuf>,
    ) -> anyhow::Result<Self> {
        bail!("this build cannot run an app in its process: --app must be a URL, and {manifest} is none")
    }
}

/// The user's cache folder, as the XDG Base Directory Specification says.
#[cfg(feature = "in-process")]
fn default_component_cache() -> Option<PathBuf> {
    let folder = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("rollcall"))
}

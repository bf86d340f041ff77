//! Runs what is put under load: a private Redis, one process with the app, and bridges that call the app over HTTP. The
//! app runs outside of the bridges so that a bridge's memory is the bridge's alone.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Result;
use rollcall_tests::redis_server::RedisServer;
use tokio::process::Command;

use crate::{api::Api, process::Process, tokens::Secrets};

/// Each process takes a free port by itself and logs which.
const ANY_PORT: &str = "127.0.0.1:0";

/// Only warnings, and the events with the addresses.
const LOG_FILTER: &str = "warn,rollcall::lifecycle=info,rollcall_host=info,rollcall_host::guest=warn";

/// How the parts are set.
pub struct Settings {
    /// The bridge's program.
    pub binary: PathBuf,
    /// The folder of the log files.
    pub folder: PathBuf,
    /// How many bridges clients connect to.
    pub bridges: usize,
    /// How long a member may stay away after losing the connection.
    pub grace: Duration,
    /// How often the bridge pings a client, and how long the client may take to answer.
    pub ping: Duration,
}

/// A bridge that clients connect to.
pub struct Bridge {
    /// The address for clients.
    pub address: SocketAddr,
    /// The process.
    pub process: Process,
}

/// All running parts. Dropping the harness stops them.
pub struct Harness {
    /// The operators' API.
    pub api: Api,
    /// The secrets of this run.
    pub secrets: Arc<Secrets>,
    /// The bridges that clients connect to.
    pub bridges: Vec<Bridge>,
    /// The process with the app.
    pub app: Process,
    /// Holds every room.
    pub redis: RedisServer,
}

impl Harness {
    /// Starts every part and waits until all of them listen.
    pub async fn start(settings: &Settings) -> Result<Self> {
        std::fs::create_dir_all(&settings.folder)?;
        let secrets = Arc::new(Secrets::make()?);
        let redis = RedisServer::start().await;
        let launch = Launch { settings, secrets: &secrets, redis: redis.address() };
        let mut app = launch.start("app", &["--app", "spin.toml", "--app-listen", ANY_PORT])?;
        let app_url = format!("http://{}", app.wait_for_field("serving", "address").await?);
        let api = Api::new(app_url.clone(), secrets.operator_token.clone());
        let mut bridges = Vec::new();
        for number in 1..=settings.bridges {
            let mut process = launch.start(&format!("bridge-{number}"), &["--app", &app_url])?;
            let address = process.wait_for_field("bridge.started", "listen").await?.parse()?;
            bridges.push(Bridge { address, process });
        }
        Ok(Self { api, secrets, bridges, app, redis })
    }

    /// Fails if a process has stopped by itself.
    pub fn check(&mut self) -> Result<()> {
        self.app.check()?;
        self.bridges.iter_mut().try_for_each(|bridge| bridge.process.check())
    }
}

/// The bridge's program of the last debug build, or the program in `ROLLCALL_BINARY`.
pub fn debug_binary() -> PathBuf {
    match std::env::var_os("ROLLCALL_BINARY") {
        Some(binary) => binary.into(),
        None => root().join("target/debug/rollcall"),
    }
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Starts processes with the settings of this run.
struct Launch<'a> {
    settings: &'a Settings,
    secrets: &'a Secrets,
    redis: String,
}

impl Launch<'_> {
    fn start(&self, name: &str, arguments: &[&str]) -> Result<Process> {
        let Settings { binary, folder, grace, ping, .. } = self.settings;
        let ms = |duration: Duration| duration.as_millis().to_string();
        let mut command = Command::new(binary);
        command
            .current_dir(root())
            .args(["bridge", "--listen", ANY_PORT])
            .args(arguments)
            .env("NO_COLOR", "1")
            .env("RUST_LOG", LOG_FILTER)
            .env("ROLLCALL_BRIDGE_SECRET", &self.secrets.bridge_secret)
            .env("ROLLCALL_REDIS_URL", format!("redis://{}", self.redis))
            // All clients come from this machine.
            .env("ROLLCALL_MAX_SOCKETS_PER_ADDRESS", "1000000")
            .env("ROLLCALL_PING_INTERVAL_MS", ms(*ping))
            .env("ROLLCALL_PING_TIMEOUT_MS", ms(*ping))
            .env("SPIN_VARIABLE_BRIDGE_SECRETS", &self.secrets.bridge_secret)
            .env("SPIN_VARIABLE_JWT_KEYS", &self.secrets.jwt_keys)
            .env("SPIN_VARIABLE_OPERATOR_TOKENS", &self.secrets.operator_token)
            .env("SPIN_VARIABLE_REDIS_ADDRESS", &self.redis)
            .env("SPIN_VARIABLE_GRACE_MS", ms(*grace));
        Process::start(name, command, folder)
    }
}

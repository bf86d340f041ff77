//! Runs what is put under load: a private Redis, the app, and bridges.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use rollcall_tests::redis_server::RedisServer;
use tokio::{process::Command, time::sleep};

use crate::{api::Api, process::Process, tokens::Secrets};

/// Each process takes a free port by itself and logs which.
pub const ANY_PORT: &str = "127.0.0.1:0";

/// How long Spin may take to start.
const SPIN_TIMEOUT: Duration = Duration::from_secs(60);

/// The arguments of a process that runs the app.
const RUN_APP: &[&str] = &["--app", "spin.toml", "--app-listen", ANY_PORT];

/// Only warnings, and the events with the addresses.
const LOG_FILTER: &str = "warn,rollcall::lifecycle=info,rollcall_host=info,rollcall_host::guest=warn";

/// Where the app runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppPlace {
    /// In the process of the first bridge.
    InBridge,
    /// In a process of its own, so that a bridge's memory is the bridge's alone.
    OwnProcess,
    /// In the installed `spin`.
    Spin,
}

/// How the parts are set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The bridge's program.
    pub binary: PathBuf,
    /// The folder of the log files.
    pub folder: PathBuf,
    /// Where the app runs.
    pub app: AppPlace,
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
    /// The process with the app, unless the app runs in a bridge.
    pub app: Option<Process>,
    /// Holds every room.
    pub redis: RedisServer,
    settings: Settings,
    app_url: String,
}

impl Harness {
    /// Starts every part and waits until all of them listen.
    pub async fn start(settings: &Settings) -> Result<Self> {
        std::fs::create_dir_all(&settings.folder)?;
        let secrets = Arc::new(Secrets::make()?);
        let redis = RedisServer::start().await;
        let launch = Launch { settings, secrets: &secrets, redis: redis.address() };
        let mut bridges = Vec::new();
        let (app, app_url) = match settings.app {
            AppPlace::InBridge => {
                let mut bridge = launch.bridge(1, ANY_PORT, RUN_APP).await?;
                let url = app_url(&mut bridge.process).await?;
                bridges.push(bridge);
                (None, url)
            }
            AppPlace::OwnProcess => {
                let mut app = launch.rollcall("app", ANY_PORT, RUN_APP)?;
                let url = app_url(&mut app).await?;
                (Some(app), url)
            }
            AppPlace::Spin => {
                let (app, url) = launch.spin().await?;
                (Some(app), url)
            }
        };
        let api = Api::new(app_url.clone(), secrets.operator_token.clone());
        for number in bridges.len() + 1..=settings.bridges {
            bridges.push(launch.bridge(number, ANY_PORT, &["--app", &app_url]).await?);
        }
        Ok(Self { api, secrets, bridges, app, redis, settings: settings.clone(), app_url })
    }

    /// Starts the first bridge again on the same port after it was killed.
    pub async fn restart_first_bridge(&mut self) -> Result<()> {
        let launch = Launch { settings: &self.settings, secrets: &self.secrets, redis: self.redis.address() };
        let runs_app = self.settings.app == AppPlace::InBridge;
        let arguments = if runs_app { RUN_APP } else { &["--app", &self.app_url] };
        let listen = self.bridges[0].address.to_string();
        self.bridges[0] = launch.bridge(1, &listen, arguments).await?;
        Ok(())
    }

    /// Fails if a process has stopped by itself.
    pub fn check(&mut self) -> Result<()> {
        let bridges = self.bridges.iter_mut().map(|bridge| &mut bridge.process);
        bridges.chain(self.app.as_mut()).try_for_each(Process::check)
    }
}

async fn app_url(process: &mut Process) -> Result<String> {
    Ok(format!("http://{}", process.wait_for_field("serving", "address").await?))
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
    async fn bridge(&self, number: usize, listen: &str, arguments: &[&str]) -> Result<Bridge> {
        let mut process = self.rollcall(&format!("bridge-{number}"), listen, arguments)?;
        let address = process.wait_for_field("bridge.started", "listen").await?.parse()?;
        Ok(Bridge { address, process })
    }

    fn rollcall(&self, name: &str, listen: &str, arguments: &[&str]) -> Result<Process> {
        let Settings { binary, folder, ping, .. } = self.settings;
        let ping_ms = ping.as_millis().to_string();
        let mut command = Command::new(binary);
        command
            .current_dir(root())
            .args(["bridge", "--listen", listen])
            .args(arguments)
            .env("NO_COLOR", "1")
            .env("RUST_LOG", LOG_FILTER)
            .env("ROLLCALL_BRIDGE_SECRET", &self.secrets.bridge_secret)
            .env("ROLLCALL_REDIS_URL", format!("redis://{}", self.redis))
            // All clients come from this machine.
            .env("ROLLCALL_MAX_SOCKETS_PER_ADDRESS", "1000000")
            .env("ROLLCALL_PING_INTERVAL_MS", &ping_ms)
            .env("ROLLCALL_PING_TIMEOUT_MS", &ping_ms)
            .envs(self.variables());
        Process::start(name, command, folder)
    }

    /// Starts the app in Spin, which does not log its address.
    async fn spin(&self) -> Result<(Process, String)> {
        let address = TcpListener::bind(ANY_PORT)?.local_addr()?.to_string();
        let url = format!("http://{address}");
        let mut command = Command::new("spin");
        command
            .current_dir(root())
            .args(["up", "--from", "spin.toml", "--listen", &address, "--state-dir"])
            .arg(self.settings.folder.join("spin-state"))
            .envs(self.variables());
        let mut process = Process::start("spin", command, &self.settings.folder)?;
        let deadline = Instant::now() + SPIN_TIMEOUT;
        while TcpStream::connect(&address).is_err() {
            process.check()?;
            ensure!(Instant::now() < deadline, "spin does not listen within {} s", SPIN_TIMEOUT.as_secs());
            sleep(Duration::from_millis(50)).await;
        }
        Ok((process, url))
    }

    fn variables(&self) -> [(&'static str, String); 7] {
        let Secrets { bridge_secret, jwt_keys, operator_token, .. } = self.secrets;
        [
            ("SPIN_VARIABLE_BRIDGE_SECRETS", bridge_secret.clone()),
            ("SPIN_VARIABLE_JWT_KEYS", jwt_keys.clone()),
            ("SPIN_VARIABLE_OPERATOR_TOKENS", operator_token.clone()),
            ("SPIN_VARIABLE_REDIS_ADDRESS", self.redis.clone()),
            ("SPIN_VARIABLE_GRACE_MS", self.settings.grace.as_millis().to_string()),
            ("SPIN_VARIABLE_FEATURES", "timer status chat code lobby".to_owned()),
            ("SPIN_VARIABLE_CODE_LIMIT", "100".to_owned()),
        ]
    }
}

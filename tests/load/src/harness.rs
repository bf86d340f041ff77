//! What is put under load: a private Redis, one process with the app, and bridges over HTTP to it. The app has a
//! process of its own so that what a bridge holds is the bridge's alone.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rollcall_tests::redis_server::RedisServer;
use tokio::{net::TcpStream, process::Command, time::sleep};

use crate::{api::Api, process::Process, tokens::Secrets};

/// How long the app may take to start; compiling the components is part of it.
const START_LIMIT: Duration = Duration::from_secs(120);

/// How the parts are set.
pub struct Settings {
    /// The bridge's program.
    pub binary: PathBuf,
    /// Where logs go.
    pub folder: PathBuf,
    /// How many bridges clients connect to.
    pub bridges: usize,
    /// How long a member whose connection was lost may stay away.
    pub grace: Duration,
    /// How often a client is asked whether it is still there, and how long it may take to answer.
    pub ping: Duration,
}

/// A bridge that clients connect to.
pub struct Bridge {
    /// Where it listens.
    pub address: SocketAddr,
    /// The process.
    pub process: Process,
}

/// Everything that runs. Dropping it stops it all.
pub struct Stage {
    /// The operators' API.
    pub api: Api,
    /// The secrets of this run.
    pub secrets: Arc<Secrets>,
    /// The bridges that clients connect to.
    pub bridges: Vec<Bridge>,
    /// The process with the app.
    pub app: Process,
    /// Where every room lives.
    pub redis: RedisServer,
}

impl Stage {
    /// Starts everything and waits until it answers.
    pub async fn start(settings: &Settings) -> Result<Self> {
        std::fs::create_dir_all(&settings.folder)?;
        let secrets = Arc::new(Secrets::make()?);
        let redis = RedisServer::start().await;
        let [own, app_address] = [free_address()?, free_address()?];
        let app_url = format!("http://{app_address}");
        let launch = Launch { settings, secrets: &secrets, redis: redis.address() };
        let place = ["--app", "spin.toml", "--app-listen", &app_address.to_string()];
        let mut app = launch.process("app", own, &place)?;
        let api = Api::new(app_url.clone(), secrets.operator_token.clone());
        let began = Instant::now();
        while !api.is_up().await {
            wait_for(&mut app, began).await?;
        }
        let mut bridges = Vec::new();
        for number in 1..=settings.bridges {
            let address = free_address()?;
            let mut process = launch.process(&format!("bridge-{number}"), address, &["--app", &app_url])?;
            while TcpStream::connect(address).await.is_err() {
                wait_for(&mut process, began).await?;
            }
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

/// The bridge's program that was built last for debugging, or the one in `ROLLCALL_BINARY`.
pub fn debug_binary() -> PathBuf {
    match std::env::var_os("ROLLCALL_BINARY") {
        Some(binary) => binary.into(),
        None => root().join("target/debug/rollcall"),
    }
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

async fn wait_for(process: &mut Process, began: Instant) -> Result<()> {
    process.check()?;
    if began.elapsed() > START_LIMIT {
        bail!("{} does not answer within {} s", process.name, START_LIMIT.as_secs());
    }
    sleep(Duration::from_millis(50)).await;
    Ok(())
}

fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?)
}

/// How processes are started.
struct Launch<'a> {
    settings: &'a Settings,
    secrets: &'a Secrets,
    redis: String,
}

impl Launch<'_> {
    fn process(&self, name: &str, listen: SocketAddr, place: &[&str]) -> Result<Process> {
        let Settings { binary, folder, grace, ping, .. } = self.settings;
        let ms = |duration: Duration| duration.as_millis().to_string();
        let mut command = Command::new(binary);
        command
            .current_dir(root())
            .args(["bridge", "--listen", &listen.to_string()])
            .args(place)
            .env("NO_COLOR", "1")
            .env("RUST_LOG", "warn")
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

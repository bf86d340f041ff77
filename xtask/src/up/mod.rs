//! Runs Redis, the app, the bridge and the sweep on this machine.

mod child;
mod redis;
mod secrets;
mod session;
pub mod spin;

use std::{
    fs::{self, File},
    net::TcpListener,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Args;

use self::{child::Child, redis::Redis, secrets::Secrets, spin::Spin};
use crate::{components, setup, shell};

/// How long the bridge may take to start, including the compilation of the components.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a bridge that has started may take until users can join.
const READY_TIMEOUT: Duration = Duration::from_secs(15);

const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Options of `cargo xtask up`.
#[derive(Args)]
pub struct Up {
    /// Run the app in the installed `spin` instead of in the bridge's process.
    #[arg(long)]
    spin: bool,
    /// The port for clients.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The port of the app's HTTP API.
    #[arg(long, default_value_t = 3000)]
    app_port: u16,
    /// The port of the bridge's metrics.
    #[arg(long, default_value_t = 9090)]
    metrics_port: u16,
}

/// Sets up, builds, starts, defines a sample session, and waits for Ctrl-C.
pub fn run(up: &Up) -> Result<()> {
    setup::for_running()?;
    let spin = up.spin.then(Spin::find).transpose()?;
    ensure_free(up.port, "--port")?;
    ensure_free(up.app_port, "--app-port")?;
    ensure_free(up.metrics_port, "--metrics-port")?;
    components::build_all()?;

    let stop = register_stop()?;
    let folder = shell::root().join("target/up");
    fs::create_dir_all(&folder)?;
    let _lock = lock(&folder)?;
    let secrets = Secrets::load_or_generate(&folder.join("secrets.json"))?;
    let mut processes = Processes::start(up, spin.as_ref(), &folder, &secrets)?;
    if !wait_until_started(up, &mut processes, &stop)? || !wait_until_ready(up, &mut processes, &stop)? {
        return Ok(());
    }
    let ends_at = session::define(up.app_port, &secrets.operator_token)?;
    announce(up, &processes.redis, &secrets, ends_at)?;
    while !stop.load(Ordering::Relaxed) {
        processes.check()?;
        thread::sleep(POLL_INTERVAL);
    }
    println!("\nStopping.");
    Ok(())
}

/// The running processes. Dropping them stops them in this order: the bridge needs the app to stop, and the app Redis.
struct Processes {
    bridge: Child,
    app: Option<Child>,
    redis: Redis,
}

impl Processes {
    fn start(up: &Up, spin: Option<&Spin>, folder: &Path, secrets: &Secrets) -> Result<Self> {
        let redis = Redis::find_or_start(folder)?;
        let start_app =
            |spin: &Spin| Child::start("spin", spin.command(up.app_port, variables(up, &redis, secrets)));
        let app = spin.map(start_app).transpose()?;
        let bridge = Child::start("the bridge", bridge_command(up, &redis, secrets)?)?;
        Ok(Self { bridge, app, redis })
    }

    /// Fails if a process stopped by itself.
    fn check(&mut self) -> Result<()> {
        let children = [Some(&mut self.bridge), self.app.as_mut(), self.redis.process.as_mut()];
        children.into_iter().flatten().try_for_each(Child::check)
    }
}

/// Returns a flag that Ctrl-C and SIGTERM set.
fn register_stop() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// Locks the folder: two Redis servers would ruin one append-only file.
fn lock(folder: &Path) -> Result<File> {
    let lock = File::create(folder.join("lock"))?;
    lock.try_lock().context("another `cargo xtask up` runs in this checkout")?;
    Ok(lock)
}

/// Returns whether the bridge and the app started before a signal came.
fn wait_until_started(up: &Up, processes: &mut Processes, stop: &AtomicBool) -> Result<bool> {
    let health = bridge_url(up, "/healthz");
    let has_started = || is_healthy(&health) && session::is_app_up(up.app_port);
    if wait_until(has_started, START_TIMEOUT, processes, stop)? == Waited::TooLong {
        bail!("the bridge does not answer at {health} within {} s", START_TIMEOUT.as_secs());
    }
    Ok(!stop.load(Ordering::Relaxed))
}

/// Returns whether users can join before a signal came.
fn wait_until_ready(up: &Up, processes: &mut Processes, stop: &AtomicBool) -> Result<bool> {
    let readiness = bridge_url(up, "/readyz");
    if wait_until(|| is_healthy(&readiness), READY_TIMEOUT, processes, stop)? == Waited::TooLong {
        bail!(
            "nobody could join: the errors above say what is wrong, and {readiness} names the missing parts"
        );
    }
    Ok(!stop.load(Ordering::Relaxed))
}

#[derive(PartialEq, Eq)]
enum Waited {
    Enough,
    TooLong,
}

/// Waits until a condition holds or a signal comes. Fails if a process stops by itself.
fn wait_until(
    condition: impl Fn() -> bool,
    limit: Duration,
    processes: &mut Processes,
    stop: &AtomicBool,
) -> Result<Waited> {
    let began = Instant::now();
    while !condition() && !stop.load(Ordering::Relaxed) {
        processes.check()?;
        if began.elapsed() > limit {
            return Ok(Waited::TooLong);
        }
        thread::sleep(POLL_INTERVAL);
    }
    Ok(Waited::Enough)
}

fn page_origin(up: &Up) -> String {
    format!("http://127.0.0.1:{}", up.app_port)
}

fn bridge_url(up: &Up, path: &str) -> String {
    format!("http://127.0.0.1:{}{path}", up.port)
}

fn is_healthy(url: &str) -> bool {
    ureq::get(url).config().timeout_global(Some(session::RESPONSE_TIMEOUT)).build().call().is_ok()
}

fn ensure_free(port: u16, flag: &str) -> Result<()> {
    let taken = || format!("port {port} is taken; choose another with {flag}");
    TcpListener::bind(("127.0.0.1", port)).map(drop).with_context(taken)
}

fn bridge_command(up: &Up, redis: &Redis, secrets: &Secrets) -> Result<Command> {
    let mut command = Command::new(shell::target_folder()?.join("debug/rollcall"));
    command.args(["bridge", "--listen", &format!("127.0.0.1:{}", up.port)]);
    // The app serves the pages, which have another origin than the bridge.
    command.args(["--origin", &page_origin(up)]);
    command.args(["--metrics-listen", &format!("127.0.0.1:{}", up.metrics_port)]);
    command.args(["--metrics-origin", &page_origin(up)]);
    if up.spin {
        command.args(["--app", &format!("http://127.0.0.1:{}", up.app_port)]);
    } else {
        command.args(["--app", "spin.toml", "--app-listen", &format!("127.0.0.1:{}", up.app_port)]);
    }
    command
        .env("ROLLCALL_REDIS_URL", redis.url.as_str())
        .env("ROLLCALL_BRIDGE_SECRET", &secrets.bridge_secret);
    command.envs(variables(up, redis, secrets));
    Ok(command)
}

/// The variable that names the features. Here all are on, because this is where people try them.
const FEATURES: &str = "SPIN_VARIABLE_FEATURES";

/// The app's variables, which Spin and the host read from the environment.
fn variables(up: &Up, redis: &Redis, secrets: &Secrets) -> [(&'static str, String); 10] {
    let (scheme, credentials, address) = redis.parts();
    [
        ("SPIN_VARIABLE_REDIS_SCHEME", scheme),
        ("SPIN_VARIABLE_REDIS_CREDENTIALS", credentials),
        ("SPIN_VARIABLE_REDIS_ADDRESS", address),
        ("SPIN_VARIABLE_REDIS_DATABASE", redis.database().to_owned()),
        (FEATURES, std::env::var(FEATURES).unwrap_or_else(|_| "timer status chat code lobby".to_owned())),
        ("SPIN_VARIABLE_BRIDGE_SECRETS", secrets.bridge_secret.clone()),
        ("SPIN_VARIABLE_JWT_KEYS", secrets.jwt_keys()),
        ("SPIN_VARIABLE_OPERATOR_TOKENS", secrets.operator_token.clone()),
        ("SPIN_VARIABLE_BRIDGE_URL", format!("http://127.0.0.1:{}", up.port)),
        ("SPIN_VARIABLE_BRIDGE_METRICS", format!("http://127.0.0.1:{}", up.metrics_port)),
    ]
}

fn announce(up: &Up, redis: &Redis, secrets: &Secrets, ends_at: String) -> Result<()> {
    let (port, app_port) = (up.port, up.app_port);
    let (_, _, address) = redis.parts();
    println!("\nRollcall is up.");
    println!("  Socket.IO   http://127.0.0.1:{port}/study    room: {}, until {ends_at}", session::ROOM);
    println!("  WebSocket   ws://127.0.0.1:{port}/ws");
    println!(
        "  App         http://127.0.0.1:{app_port}          PUT /rooms/{{id}} with the operator's token"
    );
    println!("  Redis       {address}");
    println!("\n  Open the room in a browser, as each of them in a window of its own:");
    let tokens = session::MEMBERS
        .map(|user| secrets.client_token(user).map(|token| (user, token)))
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    for (user, token) in &tokens {
        println!("  {user:<6} {}/#room={}&token={token}", page_origin(up), session::ROOM);
    }
    println!("\n  Watch and change rooms in a browser, as an operator:");
    println!("  {}/operator#token={}", page_origin(up), secrets.operator_token);
    println!();
    for (user, token) in &tokens {
        println!("  token for {user:<6} {token}");
    }
    println!("  operator token   {}", secrets.operator_token);
    println!("\nCtrl-C stops everything.");
    Ok(())
}

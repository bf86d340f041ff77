//! Runs it all on this machine: Redis, the app, the bridge and the sweep.

mod child;
mod redis;
mod secrets;
mod session;
mod spin;

use std::{
    net::TcpListener,
    path::PathBuf,
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

use self::{child::Child, redis::Redis, secrets::Secrets};
use crate::{components, setup, shell};

/// How long the bridge may take until it answers; compiling the components is part of it.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Options of `cargo xtask up`.
#[derive(Args)]
pub struct Up {
    /// Run the app in the installed `spin` instead of in the bridge's process.
    #[arg(long)]
    spin: bool,
    /// The port that clients connect to.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The port of the app, where sessions are defined.
    #[arg(long, default_value_t = 3000)]
    app_port: u16,
}

/// Sets up, builds, starts, seeds a session, and waits for Ctrl-C.
pub fn run(up: &Up) -> Result<()> {
    setup::for_running()?;
    if up.spin {
        spin::ensure()?;
    }
    ensure_free(up.port, "--port")?;
    ensure_free(up.app_port, "--app-port")?;
    components::build_all()?;

    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let folder = shell::root().join("target/up");
    std::fs::create_dir_all(&folder)?;
    let lock = std::fs::File::create(folder.join("lock"))?;
    // Two servers on one append-only file would ruin it.
    lock.try_lock().context("another `cargo xtask up` runs in this checkout")?;
    let secrets = Secrets::load_or_make(&folder.join("secrets.json"))?;
    // Dropped in reverse: the bridge says goodbye to the app, the app to Redis.
    let mut redis = Redis::find_or_start(&folder)?;
    let mut app =
        up.spin.then(|| Child::start("spin", spin::command(up.app_port, &redis, &secrets))).transpose()?;
    let mut bridge = Child::start("the bridge", bridge_command(up, &redis, &secrets)?)?;

    let mut children: Vec<&mut Child> =
        [Some(&mut bridge), app.as_mut(), redis.process.as_mut()].into_iter().flatten().collect();
    let health = format!("http://127.0.0.1:{}/healthz", up.port);
    let began = Instant::now();
    while !is_healthy(&health) || !session::is_app_up(up.app_port) {
        if stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        check(&mut children)?;
        if began.elapsed() > START_LIMIT {
            bail!("the bridge does not answer at {health} within {} s", START_LIMIT.as_secs());
        }
        thread::sleep(Duration::from_millis(100));
    }
    let ends_at = session::seed(up.app_port, &secrets.operator_token)?;
    drop(children);
    announce(up, &redis, &secrets, ends_at)?;

    let mut children: Vec<&mut Child> =
        [Some(&mut bridge), app.as_mut(), redis.process.as_mut()].into_iter().flatten().collect();
    while !stop.load(Ordering::Relaxed) {
        check(&mut children)?;
        thread::sleep(Duration::from_millis(100));
    }
    println!("\nStopping.");
    for child in children {
        child.stop();
    }
    Ok(())
}

fn is_healthy(url: &str) -> bool {
    ureq::get(url).config().timeout_global(Some(session::ANSWER_LIMIT)).build().call().is_ok()
}

fn check(children: &mut [&mut Child]) -> Result<()> {
    children.iter_mut().try_for_each(|child| child.check())
}

fn ensure_free(port: u16, flag: &str) -> Result<()> {
    let taken = || format!("port {port} is taken; choose another with {flag}");
    TcpListener::bind(("127.0.0.1", port)).map(drop).with_context(taken)
}

fn bridge_command(up: &Up, redis: &Redis, secrets: &Secrets) -> Result<Command> {
    let mut command = Command::new(bridge_binary()?);
    command.args(["bridge", "--listen", &format!("127.0.0.1:{}", up.port)]);
    if up.spin {
        command.args(["--app", &format!("http://127.0.0.1:{}", up.app_port)]);
    } else {
        command.args(["--app", "spin.toml", "--app-listen", &format!("127.0.0.1:{}", up.app_port)]);
    }
    command
        .env("ROLLCALL_REDIS_URL", redis.url.as_str())
        .env("ROLLCALL_BRIDGE_SECRET", &secrets.bridge_secret);
    command.envs(variables(redis, secrets));
    Ok(command)
}

fn bridge_binary() -> Result<PathBuf> {
    let metadata = Command::new("cargo").args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout)?;
    let target = metadata["target_directory"].as_str().context("cargo metadata names no target directory")?;
    Ok(PathBuf::from(target).join("debug/rollcall"))
}

/// The app's variables, as Spin and the host read them from the environment.
fn variables(redis: &Redis, secrets: &Secrets) -> [(&'static str, String); 6] {
    let (scheme, credentials, address) = redis.parts();
    [
        ("SPIN_VARIABLE_REDIS_SCHEME", scheme),
        ("SPIN_VARIABLE_REDIS_CREDENTIALS", credentials),
        ("SPIN_VARIABLE_REDIS_ADDRESS", address),
        ("SPIN_VARIABLE_BRIDGE_SECRETS", secrets.bridge_secret.clone()),
        ("SPIN_VARIABLE_JWT_KEYS", secrets.jwt_keys()),
        ("SPIN_VARIABLE_OPERATOR_TOKENS", secrets.operator_token.clone()),
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
    println!();
    for user in session::MEMBERS {
        println!("  token for {user:<6} {}", secrets.client_token(user)?);
    }
    println!("  operator token   {}", secrets.operator_token);
    println!("\nCtrl-C stops everything.");
    Ok(())
}

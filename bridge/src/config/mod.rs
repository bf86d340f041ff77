//! The configuration: read from flags, the environment and a file, checked once, and then only passed on.

#[path = "../listener/args.rs"]
mod door;
pub(crate) mod file;
#[path = "../session/args.rs"]
mod sessions;
#[path = "../telemetry/args.rs"]
mod telemetry;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context, bail, ensure};
use clap::Args;
use http::Uri;
use rollcall_protocol::{
    call::{self, Secret},
    origin::OriginPolicy,
};

use self::door::DoorArgs;
pub(crate) use self::{
    sessions::SessionArgs,
    telemetry::{LogFormat, TelemetryArgs},
};
use crate::{
    app::OWN_LANES,
    bound::{PING_INTERVAL, PING_TIMEOUT},
    door::{DoorLimits, files, tls::CertificateFiles},
};

/// Where the secret that signs calls comes from. Not a flag: flags show in the list of processes.
const SECRET_VARIABLE: &str = "ROLLCALL_BRIDGE_SECRET";

/// The flags of `rollcall bridge`.
#[derive(Args)]
pub(crate) struct BridgeArgs {
    /// File with settings: TOML, with the names of these flags as keys, as in "ping-interval-ms = 25000". Flags and
    /// the environment count before it.
    #[arg(long = "config", env = "ROLLCALL_CONFIG", value_name = "PATH")]
    pub(crate) config_file: Option<PathBuf>,

    /// Address to listen on for clients.
    #[arg(long, env = "ROLLCALL_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,

    /// The app: the URL where it is served, or the path of a spin.toml to run in this process.
    #[arg(long, env = "ROLLCALL_APP", default_value = "spin.toml", value_name = "URL|PATH")]
    app: String,

    /// Address on which the app's own HTTP routes are served; only with the app in this process.
    #[arg(long, env = "ROLLCALL_APP_LISTEN", value_name = "ADDRESS")]
    app_listen: Option<SocketAddr>,

    /// Redis, to subscribe to the events of rooms; the app in this process keeps its key-value store there too.
    #[arg(
        long = "redis",
        env = "ROLLCALL_REDIS_URL",
        default_value = "redis://127.0.0.1:6379",
        value_name = "URL",
        // The URL may hold a password.
        hide_env_values = true
    )]
    redis_url: String,

    /// Socket.IO namespace that clients connect to.
    #[arg(long, env = "ROLLCALL_NAMESPACE", default_value = "/study", value_name = "PATH")]
    namespace: String,

    /// Origin whose pages may connect, as in "https://study.example"; may be repeated. The first label may be a star,
    /// as in "https://*.preview.example.com", for any one label. "*" alone allows every origin. None means only pages
    /// from this very host.
    #[arg(long = "origin", env = "ROLLCALL_ORIGINS", value_delimiter = ',', value_name = "ORIGIN")]
    origins: Vec<String>,

    /// Largest message that a client may send, in bytes.
    #[arg(
        long,
        env = "ROLLCALL_MAX_PAYLOAD_BYTES",
        default_value_t = 16_384,
        value_name = "BYTES",
        value_parser = clap::value_parser!(u32).range(1_024..=16_777_216)
    )]
    max_payload_bytes: u32,

    /// How often a client is asked whether it is still there, in milliseconds.
    #[arg(
        long,
        env = PING_INTERVAL.0,
        default_value_t = PING_INTERVAL.1,
        value_name = "MS",
        value_parser = clap::value_parser!(u64).range(100..=600_000)
    )]
    ping_interval_ms: u64,

    /// How long a client may take to answer that, in milliseconds; then its connection counts as lost.
    #[arg(
        long,
        env = PING_TIMEOUT.0,
        default_value_t = PING_TIMEOUT.1,
        value_name = "MS",
        value_parser = clap::value_parser!(u64).range(100..=600_000)
    )]
    ping_timeout_ms: u64,

    /// How long the app may take to answer, all retries together, in milliseconds; then the client is told
    /// UNAVAILABLE.
    #[arg(
        long,
        env = "ROLLCALL_APP_TIMEOUT_MS",
        default_value_t = 5_000,
        value_name = "MS",
        value_parser = clap::value_parser!(u64).range(100..=60_000)
    )]
    app_timeout_ms: u64,

    /// How many calls of the app there are at once. More wait for a place, for half of --app-timeout-ms, and their
    /// clients are then told OVERLOADED.
    #[arg(
        long,
        env = "ROLLCALL_MAX_CALLS",
        default_value_t = 256,
        value_name = "COUNT",
        value_parser = clap::value_parser!(u16).range(4..=1000)
    )]
    max_calls: u16,

    /// How many of those calls are joins: a rush of them leaves room for everybody else. At least three less.
    #[arg(
        long,
        env = "ROLLCALL_MAX_JOINS",
        default_value_t = 128,
        value_name = "COUNT",
        value_parser = clap::value_parser!(u16).range(1..=1000)
    )]
    max_joins: u16,

    /// How often the app is told that this bridge is there, in milliseconds; a third of the app's lease_ms or less.
    #[arg(
        long,
        env = "ROLLCALL_HEARTBEAT_INTERVAL_MS",
        default_value_t = 5_000,
        value_name = "MS",
        value_parser = clap::value_parser!(u64).range(100..=600_000)
    )]
    heartbeat_interval_ms: u64,

    #[command(flatten)]
    door: DoorArgs,

    #[command(flatten)]
    sessions: SessionArgs,

    #[command(flatten)]
    pub(crate) telemetry: TelemetryArgs,
}

/// The checked configuration of a bridge.
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) app: AppLocation,
    pub(crate) redis: redis::Client,
    pub(crate) namespace: String,
    pub(crate) origins: OriginPolicy,
    pub(crate) limits: Limits,
    pub(crate) door: DoorLimits,
    /// Clients are served over TLS with it.
    pub(crate) certificate: Option<CertificateFiles>,
    pub(crate) sessions: SessionArgs,
    pub(crate) calls: CallLimits,
    pub(crate) heartbeat_interval: Duration,
    pub(crate) secret: Secret,
    /// Where metrics are served, if anywhere.
    pub(crate) metrics_listen: Option<SocketAddr>,
}

/// Where the app is.
pub(crate) enum AppLocation {
    /// Served elsewhere.
    Http(Uri),
    /// Run in this process.
    #[cfg(feature = "in-process")]
    InProcess(LocalApp),
}

#[cfg(feature = "in-process")]
/// An app to run in this process.
pub(crate) struct LocalApp {
    pub(crate) manifest: PathBuf,
    /// Where its HTTP routes are served, too.
    pub(crate) listen: Option<SocketAddr>,
    /// Where it keeps its key-value store. May hold a password.
    pub(crate) redis_url: String,
}

/// How the app is called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallLimits {
    /// How long it may take until there is an answer.
    pub(crate) time_limit: Duration,
    /// How many calls there are at once.
    pub(crate) max_calls: usize,
    /// How many of them are joins.
    pub(crate) max_joins: usize,
}

/// What a client may do to its socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) max_payload_bytes: usize,
    pub(crate) ping_interval: Duration,
    pub(crate) ping_timeout: Duration,
    /// How long a client may take until it has a session.
    pub(crate) handshake: Duration,
}

impl Config {
    /// Checks the flags and takes the secret from the environment.
    pub(crate) fn from_env(args: BridgeArgs) -> anyhow::Result<Self> {
        let secrets = std::env::var(SECRET_VARIABLE)
            .with_context(|| format!("set {SECRET_VARIABLE} to the secret that bridge and app share"))?;
        Self::check(args, &secrets, files::places())
    }

    fn check(args: BridgeArgs, secrets: &str, places: usize) -> anyhow::Result<Self> {
        ensure!(args.namespace.starts_with('/'), "--namespace must begin with a slash, as in /study");
        ensure!(
            usize::from(args.max_joins) + OWN_LANES < args.max_calls.into(),
            "--max-joins must be at least {} below --max-calls, or a rush of joins leaves no room for others",
            OWN_LANES + 1,
        );
        let secret = call::parse_secrets(secrets)
            .with_context(|| format!("{SECRET_VARIABLE} cannot be used"))?
            .swap_remove(0);
        // The error is left aside, as it may show the URL and its password.
        let Ok(redis) = redis::Client::open(args.redis_url.as_str()) else {
            bail!("--redis must be a URL like redis://127.0.0.1:6379");
        };
        Ok(Self {
            listen: args.listen,
            app: AppLocation::parse(&args.app, args.app_listen, args.redis_url)?,
            redis,
            namespace: args.namespace,
            origins: OriginPolicy::parse(args.origins.iter().map(String::as_str))?,
            limits: Limits {
                max_payload_bytes: args.max_payload_bytes.try_into()?,
                ping_interval: Duration::from_millis(args.ping_interval_ms),
                ping_timeout: Duration::from_millis(args.ping_timeout_ms),
                handshake: args.door.handshake_limit(),
            },
            door: args.door.limits(places)?,
            certificate: args.door.certificate(),
            sessions: args.sessions,
            calls: CallLimits {
                time_limit: Duration::from_millis(args.app_timeout_ms),
                max_calls: args.max_calls.into(),
                max_joins: args.max_joins.into(),
            },
            heartbeat_interval: Duration::from_millis(args.heartbeat_interval_ms),
            secret,
            metrics_listen: args.telemetry.metrics_listen,
        })
    }
}

impl AppLocation {
    #[cfg(feature = "in-process")]
    #[expect(clippy::unnecessary_wraps, reason = "without the feature it fails")]
    fn in_process(manifest: &str, listen: Option<SocketAddr>, redis_url: String) -> anyhow::Result<Self> {
        Ok(Self::InProcess(LocalApp { manifest: manifest.into(), listen, redis_url }))
    }

    #[cfg(not(feature = "in-process"))]
    fn in_process(manifest: &str, _: Option<SocketAddr>, _: String) -> anyhow::Result<Self> {
        bail!("this build runs no app in its process: --app must be a URL, and {manifest} is none")
    }

    fn parse(text: &str, listen: Option<SocketAddr>, redis_url: String) -> anyhow::Result<Self> {
        if !text.contains("://") {
            return Self::in_process(text, listen, redis_url);
        }
        ensure!(listen.is_none(), "--app-listen only works when --app is the path of a spin.toml");
        let uri: Uri = text.parse().with_context(|| format!("--app {text} is not a URL"))?;
        ensure!(
            matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none(),
            "--app must be an http:// or https:// URL without a query, or the path of a spin.toml"
        );
        Ok(Self::Http(uri))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";

    const PLACES: usize = 1000;

    fn config(flags: &[&str]) -> anyhow::Result<Config> {
        Config::check(args(flags)?, SECRET, PLACES)
    }

    #[cfg(feature = "in-process")]
    #[test]
    fn a_path_means_in_process_and_a_url_over_http() {
        assert!(matches!(config(&[]).unwrap().app, AppLocation::InProcess(_)));
        assert!(matches!(config(&["--app", "apps/spin.toml"]).unwrap().app, AppLocation::InProcess(_)));
        assert!(matches!(config(&["--app", "https://app.example/x"]).unwrap().app, AppLocation::Http(_)));
        assert!(config(&["--app", "ftp://app.example"]).is_err());
    }

    #[test]
    fn the_app_is_not_served_twice() {
        assert!(config(&["--app", "http://app.example", "--app-listen", "127.0.0.1:0"]).is_err());
    }

    #[test]
    fn mistakes_are_found_at_the_start() {
        for flags in [
            ["--namespace", "study"],
            ["--redis", "localhost"],
            ["--origin", "study.example"],
            ["--max-payload-bytes", "0"],
            ["--ping-interval-ms", "0"],
            ["--app-timeout-ms", "x"],
            ["--max-calls", "130"],
            ["--max-joins", "254"],
            ["--max-sockets", "1001"],
            ["--max-sockets", "0"],
            ["--trusted-proxies", "-1"],
            ["--forwarded-header", "x-real-ip"],
            ["--tls-cert", "certificate.pem"],
        ] {
            assert!(config(&flags).is_err(), "{flags:?}");
        }
    }

    #[test]
    fn secrets_do_not_show() {
        let config = config(&["--redis", "redis://:hunter2@127.0.0.1:6379"]).unwrap();
        let shown = format!("{:?}", config.secret);
        assert!(!shown.contains(&SECRET[6..]));
        let Err(error) = Config::check(args(&["--redis", "hunter2"]).unwrap(), SECRET, PLACES) else {
            panic!("not a URL");
        };
        assert!(!format!("{error:#}").contains("hunter2"));
    }

    fn args(flags: &[&str]) -> Result<BridgeArgs, clap::Error> {
        let cli = Cli::try_parse_from(["rollcall", "bridge"].iter().chain(flags))?;
        let Command::Bridge(args) = cli.command else { panic!("not a bridge") };
        Ok(*args)
    }
}

//! The configuration of a bridge: read from flags, the environment and a file, and checked once at the start. Each part
//! of the bridge owns its flags; this module puts them together.

mod detection_time;
pub(crate) mod file;

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use clap::Args;
use rollcall_protocol::{
    Keyspace,
    call::{self, Secret},
};

pub(crate) use self::detection_time::DetectionTime;
use crate::{
    app::args::{AppArgs, AppLocation, CallLimits},
    fanout::args::FanoutArgs,
    listener::{
        ListenerArgs, ListenerOptions,
        file_limit::{self, FileBudget},
    },
    lobby::args::LobbyArgs,
    session::args::SessionArgs,
    telemetry::{MetricsOptions, TelemetryArgs},
    transport::{SocketLimits, TransportArgs},
};

/// Environment variable of the secret that signs calls. There is no flag for the secret, because flags show in the list
/// of processes.
const SECRET_VARIABLE: &str = "ROLLCALL_BRIDGE_SECRET";

/// The flags of `rollcall bridge`.
#[derive(Args)]
pub(crate) struct BridgeArgs {
    /// File with settings: TOML, with the names of these flags as keys, as in "ping-interval-ms = 25000". Flags and
    /// the environment take precedence.
    #[arg(long = "config", env = "ROLLCALL_CONFIG", value_name = "PATH")]
    pub(crate) config_file: Option<PathBuf>,

    #[command(flatten)]
    listener: ListenerArgs,

    #[command(flatten)]
    transport: TransportArgs,

    #[command(flatten)]
    session: SessionArgs,

    #[command(flatten)]
    lobby: LobbyArgs,

    #[command(flatten)]
    app: AppArgs,

    /// Time between two heartbeats to the app, in milliseconds: a third of the app's lease_ms or less.
    #[arg(
        long,
        env = "ROLLCALL_HEARTBEAT_INTERVAL_MS",
        default_value_t = 5_000,
        value_name = "MS",
        value_parser = clap::value_parser!(u64).range(100..=600_000)
    )]
    heartbeat_interval_ms: u64,

    #[command(flatten)]
    fanout: FanoutArgs,

    #[command(flatten)]
    pub(crate) telemetry: TelemetryArgs,
}

/// The checked configuration of a bridge.
pub(crate) struct Config {
    pub(crate) listener: ListenerOptions,
    pub(crate) namespace: String,
    pub(crate) socket_limits: SocketLimits,
    pub(crate) session: SessionArgs,
    pub(crate) lobby_interval: Duration,
    pub(crate) app: AppLocation,
    pub(crate) calls: CallLimits,
    pub(crate) secret: Secret,
    pub(crate) heartbeat_interval: Duration,
    pub(crate) redis: redis::Client,
    /// Where in that Redis the app publishes.
    pub(crate) keyspace: Keyspace,
    pub(crate) metrics: Option<MetricsOptions>,
    /// Connections to the app's own port.
    pub(crate) app_connections: usize,
}

impl Config {
    /// Checks the flags and reads the secret from the environment.
    pub(crate) fn from_env(args: BridgeArgs) -> anyhow::Result<Self> {
        let secrets = std::env::var(SECRET_VARIABLE)
            .with_context(|| format!("set {SECRET_VARIABLE} to the secret that bridge and app share"))?;
        Self::check(args, &secrets, file_limit::raise())
    }

    fn check(args: BridgeArgs, secrets: &str, files: FileBudget) -> anyhow::Result<Self> {
        let secret = call::parse_secrets(secrets)
            .with_context(|| format!("{SECRET_VARIABLE} cannot be used"))?
            .swap_remove(0);
        let listener = args.listener.into_options(files)?;
        let (redis, keyspace) = args.fanout.redis()?;
        Ok(Self {
            namespace: args.transport.namespace()?,
            socket_limits: args.transport.limits(listener.connection_limits.handshake)?,
            listener,
            session: args.session,
            lobby_interval: args.lobby.interval(),
            calls: args.app.call_limits()?,
            redis,
            keyspace,
            app: args.app.location(args.fanout.redis_url)?,
            secret,
            heartbeat_interval: Duration::from_millis(args.heartbeat_interval_ms),
            metrics: args.telemetry.metrics()?,
            app_connections: files.app,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";

    const FILES: FileBudget = FileBudget { sockets: 1000, without_session: 256, app: 256 };

    fn config(flags: &[&str]) -> anyhow::Result<Config> {
        Config::check(args(flags)?, SECRET, FILES)
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
            ["--redis", "redis://localhost/x"],
            ["--redis", "redis://localhost/-1"],
            ["--redis-prefix", "a:b"],
            ["--redis-prefix", ""],
            ["--origin", "study.example"],
            ["--metrics-origin", "https://app.example"],
            ["--max-payload-bytes", "0"],
            ["--ping-interval-ms", "0"],
            ["--app-timeout-ms", "x"],
            ["--max-calls", "131"],
            ["--max-joins", "253"],
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
    fn the_keyspace_is_the_prefix_and_the_database_of_the_url() {
        let keyspace = |flags: &[&str]| config(flags).unwrap().keyspace.to_string();
        assert_eq!(keyspace(&[]), "rollcall");
        assert_eq!(keyspace(&["--redis", "redis://:p%2F7@localhost/3"]), "rollcall:3");
        assert_eq!(keyspace(&["--redis-prefix", "staging"]), "staging");
    }

    #[test]
    fn secrets_do_not_show() {
        let config = config(&["--redis", "redis://:hunter2@127.0.0.1:6379"]).unwrap();
        let shown = format!("{:?}", config.secret);
        assert!(!shown.contains(&SECRET[6..]));
        let Err(error) = Config::check(args(&["--redis", "hunter2"]).unwrap(), SECRET, FILES) else {
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

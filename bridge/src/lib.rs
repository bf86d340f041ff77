//! The bridge: holds clients' sockets, sends what happens on them to the app, and hands the events that the app
//! publishes to the clients. `docs/bridge.md` tells how the parts work together.
//!
//! Imports run in one direction, and a test holds them to it:
//!
//! ```text
//! lifecycle ─► config ─► transport ─► session ─► {disconnects, fanout, lobby} ─► app ─► telemetry ─► {health, clock}
//!     │           └────► listener ─► {limits, telemetry}
//!     └────► description
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | [`cli`] | the command line: the bridge, and the commands for people |
//! | [`lifecycle`] | builds the services of a bridge, runs them, and shuts them down |
//! | [`config`] | puts the flags of all parts together and checks them once |
//! | [`listener`] | accepts connections and admits requests for new sockets |
//! | [`transport`] | translates between sockets and sessions: Socket.IO and plain WebSockets |
//! | [`session`] | what one socket may do and when, whatever its transport |
//! | [`disconnects`] | reports lost connections to the app |
//! | [`lobby`] | tells clients how many are in which room |
//! | [`fanout`] | brings the events of rooms from Redis to sessions |
//! | [`app`] | calls the app: over HTTP, or in this process |
//! | [`limits`] | permits, and rate limits per key |
//! | [`telemetry`] | metrics, logs and traces for operators |
//! | [`health`] | whether this bridge can serve clients |
//! | [`description`] | the description of events, for everybody |
//! | [`clock`] | the time of day |

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod app;
mod cli;
mod clock;
mod config;
mod description;
mod disconnects;
mod fanout;
#[cfg(fuzzing)]
pub mod fuzzing;
mod health;
mod lifecycle;
mod limits;
mod listener;
mod lobby;
mod session;
mod telemetry;
mod transport;

use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser};

use crate::{
    cli::{Cli, Command},
    config::BridgeArgs,
};

/// The command that runs until a signal stops it.
const BRIDGE: &str = "bridge";

/// Runs the command line: the whole program.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return rollcall_cli::report_usage(&error),
    };
    match cli.command {
        Command::Bridge(args) => match with_file(*args) {
            Ok(args) => run_bridge(args),
            Err(error) => fail(&error),
        },
        Command::Tool(tool) => rollcall_cli::run(tool, Cli::command()),
    }
}

/// Adds the values of the configuration file to the flags. Flags take precedence.
fn with_file(args: BridgeArgs) -> anyhow::Result<BridgeArgs> {
    let Some(file) = &args.config_file else { return Ok(args) };
    let matches = config::file::apply(Cli::command(), BRIDGE, file)?.get_matches();
    let given = matches.subcommand_matches(BRIDGE).context("there is no such command")?;
    Ok(BridgeArgs::from_arg_matches(given)?)
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

#[tokio::main]
async fn run_bridge(args: BridgeArgs) -> ExitCode {
    let exporter = match telemetry::start(&args.telemetry) {
        Ok(exporter) => exporter,
        Err(error) => return fail(&error),
    };
    let outcome = lifecycle::run(args).await;
    exporter.stop();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "bridge.failed");
            ExitCode::FAILURE
        }
    }
}

//! The gateway: holds clients' sockets, turns what happens on them into calls of the app, and passes on what
//! the app publishes. Beside it, commands for people.
//!
//! | module | what it does |
//! |---|---|
//! | [`cli`] | the command line, and the commands that people use |
//! | [`config`] | reads and checks the configuration, once |
//! | [`gateway`] | what all sockets share |
//! | [`app`] | calls the app: over HTTP, or in this process |
//! | [`auth`] | asks the app who a token speaks for |
//! | [`door`] | what lies between a connection and a session: places, addresses, TLS |
//! | [`session`] | what one socket may do and when; knows nothing of how it is connected |
//! | [`hub`] | which session is in which room |
//! | [`health`] | whether this bridge can serve |
//! | [`lease`] | tells the app that this bridge is there |
//! | [`losses`] | lost connections that the app is to be told of |
//! | [`subscriber`] | keeps the subscriptions in Redis as the hub needs them |
//! | [`burst`] | merges what changes in a room within moments |
//! | [`reread`] | reads rooms once more of which events may have been missed |
//! | [`quiet`] | forgets whom limits on speed remember |
//! | [`tally`] | counts what somebody holds, up to a limit |
//! | [`socketio`], [`websocket`] | translate between sockets and sessions |
//! | [`drain`] | how the bridge stops |
//! | [`server`] | the HTTP server around them |
//! | [`telemetry`] | what the bridge tells operators: metrics, logs, traces |
//! | [`bound`] | how long somebody who vanished can seem to be there |
//! | [`clock`] | the time of day |

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod app;
#[path = "session/auth.rs"]
mod auth;
#[path = "config/detection_time.rs"]
mod bound;
#[path = "fanout/coalesce/mod.rs"]
mod burst;
mod cli;
mod clock;
mod config;
#[path = "listener/admission.rs"]
mod door;
#[path = "lifecycle/drain.rs"]
mod drain;
#[cfg(fuzzing)]
pub mod fuzzing;
#[path = "session/context.rs"]
mod gateway;
mod health;
#[path = "fanout/hub.rs"]
mod hub;
#[path = "lifecycle/heartbeat.rs"]
mod lease;
#[path = "disconnects/queue.rs"]
mod losses;
#[path = "limits/idle.rs"]
mod quiet;
#[path = "fanout/resync.rs"]
mod reread;
#[path = "lifecycle/server.rs"]
mod server;
mod session;
#[path = "transport/socketio/mod.rs"]
mod socketio;
#[path = "fanout/subscriber.rs"]
mod subscriber;
#[path = "limits/permits.rs"]
mod tally;
mod telemetry;
#[path = "transport/websocket/mod.rs"]
mod websocket;

use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser};

use crate::{
    cli::{Cli, Command},
    config::BridgeArgs,
};

/// The command that runs for good.
const BRIDGE: &str = "bridge";

/// Does what the command line asks for; the whole program.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Bridge(args) => match with_file(*args) {
            Ok(args) => bridge(args),
            Err(error) => failed(&error),
        },
        Command::Tool(tool) => cli::run(tool),
    }
}

/// The flags, with what the configuration file says where they do not.
fn with_file(args: BridgeArgs) -> anyhow::Result<BridgeArgs> {
    let Some(file) = &args.config_file else { return Ok(args) };
    let matches = config::file::apply(Cli::command(), BRIDGE, file)?.get_matches();
    let given = matches.subcommand_matches(BRIDGE).context("there is no such command")?;
    Ok(BridgeArgs::from_arg_matches(given)?)
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

#[tokio::main]
async fn bridge(args: BridgeArgs) -> ExitCode {
    let exporter = match telemetry::start(&args.telemetry) {
        Ok(exporter) => exporter,
        Err(error) => return failed(&error),
    };
    let outcome = server::run(args).await;
    exporter.stop();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "bridge.failed");
            ExitCode::FAILURE
        }
    }
}

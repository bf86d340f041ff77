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
//! | [`origin`] | which pages may connect |
//! | [`session`] | what one socket may do and when; knows nothing of how it is connected |
//! | [`hub`] | which session is in which room |
//! | [`lease`] | tells the app that this bridge is there |
//! | [`subscriber`] | keeps the subscriptions in Redis as the hub needs them |
//! | [`reread`] | reads rooms once more of which events may have been missed |
//! | [`socketio`], [`websocket`] | translate between sockets and sessions |
//! | [`server`] | the HTTP server around them |
//! | [`listener`] | accepts connections, and closes them so that the last thing said is heard |
//! | [`bound`] | how long somebody who vanished can seem to be there |
//! | [`clock`] | the time of day |

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod app;
mod auth;
mod bound;
mod cli;
mod clock;
mod config;
mod gateway;
mod hub;
mod lease;
mod listener;
mod origin;
mod reread;
mod server;
mod session;
mod socketio;
mod subscriber;
mod websocket;

use std::{io::IsTerminal, process::ExitCode};

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::{
    cli::{Cli, Command},
    config::BridgeArgs,
};

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Bridge(args) => bridge(args),
        Command::Tool(tool) => cli::run(tool),
    }
}

#[tokio::main]
async fn bridge(args: BridgeArgs) -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let is_terminal = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(is_terminal)
        .init();
    match server::run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "bridge.failed");
            ExitCode::FAILURE
        }
    }
}

//! The program `rollcall-load`, which puts services under load. `cargo xtask soak`, `cargo xtask bench` and
//! `cargo xtask simulate` build and run it.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};
use rollcall_load::{bench, harness, simulate, soak};
use tokio::signal::unix::{SignalKind, signal};

/// Opens many sockets, and does with them what clients do.
#[derive(Parser)]
#[command(name = "rollcall-load")]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// The bridge's program; the debug build without this flag.
    #[arg(long, global = true)]
    bridge_binary: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Does everything that clients do, for a while, and checks what the clients receive.
    Soak(soak::Options),
    /// Measures Rollcall and a service in its place.
    Bench(bench::Options),
    /// Runs the scripts for up to millions of members in several Redis servers, in simulated time.
    Simulate(simulate::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether the command succeeded. A signal stops the run and its processes.
async fn run(cli: Cli) -> Result<bool> {
    let binary = cli.bridge_binary.unwrap_or_else(harness::debug_binary);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        outcome = execute(&cli.command, binary) => outcome,
        _ = terminate.recv() => Ok(false),
        _ = interrupt.recv() => Ok(false),
    }
}

/// Runs the command. Its processes write their logs to a folder of its name.
async fn execute(command: &Command, binary: PathBuf) -> Result<bool> {
    match command {
        Command::Soak(options) => soak::run(options, binary, "target/soak".into()).await,
        Command::Bench(options) => bench::run(options, binary, "target/bench".into()).await.map(|()| true),
        Command::Simulate(options) => simulate::run(options).await,
    }
}

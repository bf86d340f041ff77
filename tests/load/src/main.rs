//! The program `rollcall-load`, which runs the load test. `cargo xtask soak` builds and runs it.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Parser;
use rollcall_load::{harness, soak};
use tokio::signal::unix::{SignalKind, signal};

/// Opens many sockets, does with them everything that clients do, and checks what the clients receive.
#[derive(Parser)]
#[command(name = "rollcall-load")]
struct Cli {
    #[command(flatten)]
    options: soak::Options,
    /// The bridge's program; the debug build without this flag.
    #[arg(long)]
    bridge_binary: Option<PathBuf>,
    /// The folder for the logs of the processes.
    #[arg(long, default_value = "target/soak")]
    folder: PathBuf,
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

/// Returns whether all checks passed. A signal stops the run and its processes.
async fn run(cli: Cli) -> Result<bool> {
    let binary = cli.bridge_binary.unwrap_or_else(harness::debug_binary);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        outcome = soak::run(&cli.options, binary, cli.folder) => outcome,
        _ = terminate.recv() => Ok(false),
        _ = interrupt.recv() => Ok(false),
    }
}

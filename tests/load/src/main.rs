//! Puts bridges under load and tells whether they bore it: `rollcall-load`, or `cargo xtask soak`, which builds it all.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Parser;
use rollcall_load::{harness, soak};
use tokio::signal::unix::{SignalKind, signal};

/// Holds many sockets for a while, with everything that clients do, and checks what they are told.
#[derive(Parser)]
#[command(name = "rollcall-load")]
struct Cli {
    #[command(flatten)]
    options: soak::Options,
    /// The bridge's program; without it, the one that was built for debugging.
    #[arg(long)]
    bridge_binary: Option<PathBuf>,
    /// Where the logs of the processes go.
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

/// Returns whether everything was found good. A signal stops it all, the processes too.
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

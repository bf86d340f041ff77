//! Builds and runs the load test.

use anyhow::{Context, Result};
use clap::Args;

use crate::{load, setup};

/// Options of `cargo xtask soak`.
#[derive(Args)]
pub struct Soak {
    /// How long the load lasts after all clients connected, in minutes.
    #[arg(long)]
    minutes: Option<String>,
    /// How many sockets are open at once.
    #[arg(long)]
    sockets: Option<String>,
    /// How many rooms are open at once.
    #[arg(long)]
    rooms: Option<String>,
    /// How many clients join, leave or reconnect each second.
    #[arg(long)]
    rate: Option<String>,
    /// The seed of all random choices.
    #[arg(long)]
    seed: Option<String>,
    /// Use the debug build: it builds faster, and runs slower.
    #[arg(long)]
    debug: bool,
}

/// Sets up, builds and runs the load generator, which starts the other processes. Returns whether all checks passed.
pub fn run(soak: &Soak) -> Result<bool> {
    setup::for_running()?;
    let mut load = load::build(soak.debug)?;
    load.arg("soak");
    let flags = [
        ("--minutes", &soak.minutes),
        ("--sockets", &soak.sockets),
        ("--rooms", &soak.rooms),
        ("--rate", &soak.rate),
        ("--seed", &soak.seed),
    ];
    for (flag, value) in flags {
        if let Some(value) = value {
            load.args([flag, value]);
        }
    }
    Ok(load.status().context("cannot run the load generator")?.success())
}

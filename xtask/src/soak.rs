//! Builds and runs the load test.

use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use crate::{components, setup, shell};

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
    components::build()?;
    println!("Build: bridge and load generator");
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--package", "rollcall", "--package", "rollcall-load"]);
    if !soak.debug {
        cargo.arg("--release");
    }
    shell::run(&mut cargo)?;

    let programs = shell::target_folder()?.join(if soak.debug { "debug" } else { "release" });
    let mut load = Command::new(programs.join("rollcall-load"));
    load.arg("--bridge-binary").arg(programs.join("rollcall"));
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
    println!();
    Ok(load.status().context("cannot run the load generator")?.success())
}

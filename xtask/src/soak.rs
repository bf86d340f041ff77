//! Builds everything and puts it under load.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result};
use clap::Args;

use crate::{components, setup, shell};

/// Options of `cargo xtask soak`.
#[derive(Args)]
pub struct Soak {
    /// How long the crowd stays once it has come, in minutes.
    #[arg(long)]
    minutes: Option<String>,
    /// How many sockets are held at once.
    #[arg(long)]
    sockets: Option<String>,
    /// How many rooms are open at once.
    #[arg(long)]
    rooms: Option<String>,
    /// How many clients do something each second.
    #[arg(long)]
    rate: Option<String>,
    /// What all choices follow from.
    #[arg(long)]
    seed: Option<String>,
    /// Take the build for debugging: sooner there, and slower.
    #[arg(long)]
    debug: bool,
}

/// Sets up, builds, and runs the load generator, which starts the rest. Returns whether everything was found good.
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

    let programs = target_folder()?.join(if soak.debug { "debug" } else { "release" });
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

fn target_folder() -> Result<PathBuf> {
    let metadata = Command::new("cargo").args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout)?;
    let target = metadata["target_directory"].as_str().context("cargo metadata names no target directory")?;
    Ok(PathBuf::from(target))
}

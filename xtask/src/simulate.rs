//! Builds and runs the simulation.

use anyhow::{Context, Result};
use clap::Args;

use crate::{load, setup};

/// Options of `cargo xtask simulate`.
#[derive(Args)]
pub struct Simulate {
    /// How many members come, 20,000 by default.
    #[arg(long)]
    members: Option<String>,
    /// How many Redis servers share the shards.
    #[arg(long)]
    nodes: Option<String>,
    /// How many shards there are.
    #[arg(long)]
    shards: Option<String>,
    /// How many bridges hold the members.
    #[arg(long)]
    bridges: Option<String>,
    /// The seed of all random choices.
    #[arg(long)]
    seed: Option<String>,
    /// Use the debug build: it builds faster, and runs slower.
    #[arg(long)]
    debug: bool,
}

/// Sets up, builds and runs the load generator, which starts the Redis servers. Returns whether all checks passed.
pub fn run(simulate: &Simulate) -> Result<bool> {
    setup::for_redis()?;
    let mut load = load::build_alone(simulate.debug)?;
    load.arg("simulate");
    let flags = [
        ("--members", &simulate.members),
        ("--nodes", &simulate.nodes),
        ("--shards", &simulate.shards),
        ("--bridges", &simulate.bridges),
        ("--seed", &simulate.seed),
    ];
    for (flag, value) in flags {
        if let Some(value) = value {
            load.args([flag, value]);
        }
    }
    Ok(load.status().context("cannot run the load generator")?.success())
}

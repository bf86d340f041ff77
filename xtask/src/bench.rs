//! Builds and runs the benchmark.

use anyhow::{Context, Result};
use clap::Args;

use crate::{
    load,
    setup::{self, node},
    up::spin::Spin,
};

/// Where `--write` writes to.
const DOCUMENT: &str = "docs/performance.md";

/// Options of `cargo xtask bench`.
#[derive(Args)]
pub struct Bench {
    /// Measure less, in less than two minutes.
    #[arg(long)]
    quick: bool,
    /// Write the figures to docs/performance.md.
    #[arg(long)]
    write: bool,
}

/// Sets up, builds and runs the load generator, which starts the other processes. Returns whether that worked.
pub fn run(bench: &Bench) -> Result<bool> {
    setup::for_running()?;
    node::ensure_for_bench()?;
    let spin = Spin::find();
    let mut load = load::build(false)?;
    load.arg("bench");
    if bench.quick {
        load.arg("--quick");
    }
    if bench.write {
        load.args(["--write", DOCUMENT]);
    }
    match spin {
        Ok(spin) if spin.has_cron => _ = load.arg("--spin"),
        Ok(_) => println!("Left out: the app in Spin, because Spin has no usable cron trigger."),
        Err(error) => println!("Left out: the app in Spin; {error:#}."),
    }
    Ok(load.status().context("cannot run the load generator")?.success())
}

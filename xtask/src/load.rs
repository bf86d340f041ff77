//! Builds the load generator, which the soak and the benchmark run.

use std::process::Command;

use anyhow::Result;

use crate::{cargo, components, shell};

/// Builds it with the components and the bridge. Returns the command that runs it.
pub fn build(is_debug: bool) -> Result<Command> {
    components::build()?;
    println!("Build: bridge and load generator");
    let mut cargo = cargo::compiling();
    cargo.args(["build", "--bin", "rollcall", "--bin", "rollcall-load"]);
    if !is_debug {
        cargo.arg("--release");
    }
    shell::run(&mut cargo)?;

    let programs = shell::target_folder()?.join(if is_debug { "debug" } else { "release" });
    let mut load = Command::new(programs.join("rollcall-load"));
    load.arg("--bridge-binary").arg(programs.join("rollcall"));
    println!();
    Ok(load)
}

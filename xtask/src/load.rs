//! Builds the load generator, which the soak, the benchmark and the simulation run.

use std::{path::PathBuf, process::Command};

use anyhow::Result;

use crate::{cargo, components, shell};

/// Builds it with the components and the bridge. Returns the command that runs it.
pub fn build(is_debug: bool) -> Result<Command> {
    components::build()?;
    println!("Build: bridge and load generator");
    let programs = compile(&["rollcall", "rollcall-load"], is_debug)?;
    let mut load = Command::new(programs.join("rollcall-load"));
    load.arg("--bridge-binary").arg(programs.join("rollcall"));
    println!();
    Ok(load)
}

/// Builds it alone, for what needs neither components nor a bridge. Returns the command that runs it.
pub fn build_alone(is_debug: bool) -> Result<Command> {
    println!("Build: load generator");
    let programs = compile(&["rollcall-load"], is_debug)?;
    println!();
    Ok(Command::new(programs.join("rollcall-load")))
}

/// Builds programs. Returns the folder in which they are.
fn compile(programs: &[&str], is_debug: bool) -> Result<PathBuf> {
    let mut cargo = cargo::compiling();
    cargo.arg("build");
    for program in programs {
        cargo.args(["--bin", program]);
    }
    if !is_debug {
        cargo.arg("--release");
    }
    shell::run(&mut cargo)?;
    Ok(shell::target_folder()?.join(if is_debug { "debug" } else { "release" }))
}

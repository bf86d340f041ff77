//! cargo-mutants.

use std::process::Command;

use anyhow::Result;

use crate::shell;

/// Installs it.
pub fn ensure() -> Result<()> {
    if shell::which("cargo-mutants").is_none() {
        shell::doing("cargo-mutants (compiled, takes a minute)");
        shell::run_quietly(Command::new("cargo").args(["install", "cargo-mutants", "--locked"]))?;
    }
    shell::present("cargo-mutants");
    Ok(())
}

//! cargo-fuzz, and the C++ compiler that its engine needs.

use std::process::Command;

use anyhow::Result;

use super::debian;
use crate::shell;

/// Installs both.
pub fn ensure() -> Result<()> {
    if shell::which("c++").is_none() {
        debian::install(&["g++"], "install a C++ compiler")?;
    }
    if shell::which("cargo-fuzz").is_none() {
        shell::doing("cargo-fuzz (compiled, takes a minute)");
        shell::run_quietly(Command::new("cargo").args(["install", "cargo-fuzz", "--locked"]))?;
    }
    shell::present("cargo-fuzz");
    Ok(())
}

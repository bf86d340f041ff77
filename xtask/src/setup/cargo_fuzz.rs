//! cargo-fuzz, and the compiler of C++ that its engine needs.

use std::process::Command;

use anyhow::Result;

use super::debian;
use crate::shell;

/// Makes sure of both.
pub fn ensure() -> Result<()> {
    if shell::which("c++").is_none() {
        debian::install(&["g++"], "install a compiler of C++")?;
    }
    if shell::which("cargo-fuzz").is_none() {
        shell::doing("cargo-fuzz (compiled, takes a minute)");
        shell::run_quietly(Command::new("cargo").args(["install", "cargo-fuzz", "--locked"]))?;
    }
    shell::present("cargo-fuzz");
    Ok(())
}

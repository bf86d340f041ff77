//! Mutants of Rust code, by cargo-mutants.

use std::process::Command;

use anyhow::{Context, Result};

use crate::setup;

/// Packages with rules, and the packages whose tests prove the rules.
const MUTATED: [&str; 2] = ["rollcall-rooms", "rollcall-protocol"];
const TESTING: [&str; 3] = ["rollcall-rooms", "rollcall-protocol", "rollcall-tests"];

/// Runs cargo-mutants on the packages with rules. Returns whether each mutant was caught.
pub fn run() -> Result<bool> {
    println!("Set-up:");
    setup::cargo_mutants::ensure()?;
    let mut command = Command::new("cargo");
    command.args(["mutants", "--output", "target"]);
    command.args(MUTATED.iter().flat_map(|package| ["--package", package]));
    command.args(TESTING.iter().flat_map(|package| ["--test-package", package]));
    command.env("ROLLCALL_MODEL_STEPS", "3000").env("ROLLCALL_CONCURRENCY_SECONDS", "1");
    Ok(command.status().context("cannot run cargo-mutants")?.success())
}

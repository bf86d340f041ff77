//! Mutants of Rust code, by cargo-mutants.

use std::process::Command;

use anyhow::{Context, Result};

use super::Mutants;
use crate::{cargo, setup};

/// Packages with rules, and the packages whose tests prove the rules.
const MUTATED: [&str; 2] = ["rollcall-rooms", "rollcall-protocol"];
const TESTING: [&str; 3] = ["rollcall-rooms", "rollcall-protocol", "rollcall-tests"];
/// Of these packages, the unit tests and the suites that are over soon.
const SUITES: [&str; 3] = ["--lib", "--test=model", "--test=scripts"];

/// For a build of the suites and their run, even on a busy machine.
const TIME_LIMIT_SECONDS: &str = "600";

/// Runs cargo-mutants on the packages with rules. Returns whether each mutant was caught.
pub fn run(options: &Mutants) -> Result<bool> {
    println!("Set-up:");
    setup::cargo_mutants::ensure()?;
    let mut command = cargo::as_from_a_shell();
    command.args(["mutants", "--output", "target"]);
    add(&mut command, "--package", MUTATED);
    add(&mut command, "--test-package", TESTING);
    add(&mut command, "--file", options.file.iter().map(String::as_str));
    add(&mut command, "--shard", options.shard.as_deref());
    if options.list {
        command.arg("--list");
    }
    // Without a change, cargo-mutants would run the tests of the changed packages only.
    command.args(["--baseline", "skip", "--timeout", TIME_LIMIT_SECONDS, "--"]).args(SUITES);
    command.env("ROLLCALL_MODEL_STEPS", "3000");
    Ok(command.status().context("cannot run cargo-mutants")?.success())
}

/// Adds an option once for each value.
fn add<'a>(command: &mut Command, option: &str, values: impl IntoIterator<Item = &'a str>) {
    command.args(values.into_iter().map(|value| format!("{option}={value}")));
}

//! Building the components, and the native programs.

use std::process::Command;

use anyhow::{Context, Result};

use crate::{setup::wasm, shell};

/// The components' packages: one per folder.
pub fn packages() -> Result<Vec<String>> {
    let entries = std::fs::read_dir("components").context("components/ cannot be read")?;
    let folders = entries.flatten().filter(|entry| entry.path().join("Cargo.toml").is_file());
    let mut packages: Vec<_> =
        folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    packages.sort();
    Ok(packages)
}

/// Builds all components and the native programs.
pub fn build_all() -> Result<()> {
    build()?;
    println!("Build: bridge");
    shell::run(Command::new("cargo").args(["build", "--package", "rollcall"]))
}

/// Builds all components, the native programs and the tests, these with the programs: built apart, they would share
/// dependencies with other features, and the largest would be compiled twice.
pub fn build_all_with_tests() -> Result<()> {
    build()?;
    println!("Build: bridge and tests");
    shell::run(Command::new("cargo").args(["build", "--all-targets"]))
}

/// Builds all components.
pub fn build() -> Result<()> {
    println!("Build: components");
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--profile", "component", "--target", "wasm32-wasip2"]);
    for package in packages()? {
        cargo.args(["--package", &package]);
    }
    wasm::ensure()?.select(&mut cargo);
    shell::run(&mut cargo)
}

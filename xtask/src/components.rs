//! Builds the components and the native programs.

use std::process::Command;

use anyhow::{Context, Result};

use crate::{setup::wasm, shell};

/// Finds the packages of components, one in each folder.
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

/// Builds all components, and the native programs together with the tests. Separate builds would compile the largest
/// dependencies twice, with different features.
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

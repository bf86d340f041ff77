//! Builds the study-room page, the components and the native programs.

use std::process::Command;

use anyhow::{Context, Result};

use crate::{
    cargo,
    setup::{node, wasm},
    shell,
};

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
    shell::run(cargo::compiling().args(["build", "--bin", "rollcall"]))
}

/// Builds all components, and the native programs together with the tests. Separate builds would compile the largest
/// dependencies twice, with different features.
pub fn build_all_with_tests() -> Result<()> {
    build_all_by(shell::run)
}

/// Builds everything and fails if there is a warning.
pub fn build_all_without_warnings() -> Result<()> {
    build_all_by(cargo::deny_warnings)
}

fn build_all_by(run: fn(&mut Command) -> Result<()>) -> Result<()> {
    build_page()?;
    println!("Build: components");
    run(&mut components()?)?;
    println!("Build: bridge and tests");
    run(cargo::compiling().args(["build", "--all-targets"]))
}

/// Builds all components.
pub fn build() -> Result<()> {
    build_page()?;
    println!("Build: components");
    shell::run(&mut components()?)
}

/// One component contains the page.
fn build_page() -> Result<()> {
    println!("Build: study-room page");
    node::build_page()
}

fn components() -> Result<Command> {
    let mut cargo = wasm::ensure()?.cargo();
    cargo.args(["build", "--profile", "component", "--target", "wasm32-wasip2"]);
    for package in packages()? {
        cargo.args(["--package", &package]);
    }
    Ok(cargo)
}

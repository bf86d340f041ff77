//! Formatting, lints and dependencies, of Rust and JavaScript.

use std::process::Command;

use anyhow::Result;

use crate::{
    components, lint_lua,
    setup::{cargo_deny, node},
    shell,
};

/// Checks all of it, with warnings denied.
pub fn run() -> Result<()> {
    ensure_tools()?;
    node::ensure()?;
    shell::run(Command::new("cargo").args(["fmt", "--all", "--check"]))?;
    components::build_all_without_warnings()?;
    lint_javascript()?;
    lint_lua::run()?;
    lint_dependencies()
}

/// rustup's minimal profile has neither.
fn ensure_tools() -> Result<()> {
    for (tool, component) in [("rustfmt", "rustfmt"), ("clippy-driver", "clippy")] {
        if shell::output_of(Command::new(tool).arg("--version")).is_none() {
            shell::doing(component);
            shell::run_quietly(Command::new("rustup").args(["component", "add", component]))?;
        }
    }
    Ok(())
}

/// Biome checks rules, formatting and the order of imports. TypeScript checks the types of the packages.
fn lint_javascript() -> Result<()> {
    let biome = std::fs::canonicalize(node::SUITES)?.join("node_modules/.bin/biome");
    for folder in
        [node::SUITES, node::PAGE, "examples"].into_iter().chain(node::CLIENTS).chain(node::COMPARED)
    {
        println!("Lint: JavaScript in {folder}");
        shell::run(Command::new(&biome).args(["check", "--error-on-warnings"]).current_dir(folder))?;
    }
    println!("Lint: types in {}", node::CLIENTS.join(", "));
    node::compile_clients()
}

/// Manifests of the workspaces, each with a lock file of its own.
const MANIFESTS: [&str; 2] = ["Cargo.toml", "tests/fuzz/Cargo.toml"];

fn lint_dependencies() -> Result<()> {
    let program = cargo_deny::ensure()?;
    let mut checks = vec!["bans", "licenses", "sources"];
    match shell::run_quietly(Command::new(&program).args(["fetch", "db"])) {
        Ok(()) => checks.push("advisories"),
        Err(error) => {
            println!("Left out: advisories of dependencies; their database cannot be fetched.\n{error:#}");
        }
    }
    for manifest in MANIFESTS {
        println!("Lint: {} of {manifest}", checks.join(", "));
        let mut deny = Command::new(&program);
        deny.args(["--manifest-path", manifest, "--config", "deny.toml", "check"]);
        // deny.toml serves both workspaces, and each has entries that the other does not need.
        deny.args(["--allow", "license-exception-not-encountered", "--allow", "advisory-not-detected"]);
        shell::run(deny.args(&checks))?;
    }
    Ok(())
}

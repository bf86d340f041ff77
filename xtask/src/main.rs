//! `cargo xtask`: the tasks of this project. They need only the Rust toolchain, Node.js and Debian's packages.

mod bench;
mod cargo;
mod components;
mod fuzz;
mod lint;
mod lint_lua;
mod load;
mod manifest;
mod mutants;
mod setup;
mod shell;
mod simulate;
mod soak;
mod test;
mod up;
mod upgrade;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use rollcall_descriptions::{asyncapi, compatibility};

/// Sets up, builds, runs and tests Rollcall.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what building and running need; skips what is installed.
    Setup {
        /// Also install what only the tests need.
        #[arg(long)]
        tests: bool,
    },
    /// Build the components and the native programs.
    Build,
    /// Set up, build, and run Redis, the app, the bridge and the sweep. Ctrl-C stops them.
    Up(up::Up),
    /// Set up, build, and run every test, with a summary.
    Test,
    /// Set up, build, and run a load test with thousands of sockets, with checks and measurements.
    Soak(soak::Soak),
    /// Set up, build, and compare Rollcall with the same service in Socket.IO and in Colyseus.
    Bench(bench::Bench),
    /// Set up, build, and run the scripts for up to millions of simulated members, with what saturates first.
    Simulate(simulate::Simulate),
    /// Set up, build, and upgrade an earlier revision to this one while members are in their rooms.
    Upgrade(upgrade::Upgrade),
    /// Set up, build, and fuzz the parsers.
    Fuzz(fuzz::Fuzz),
    /// Change the rules one at a time, and run the tests that should notice.
    Mutants(mutants::Mutants),
    /// Check formatting, lints and dependencies.
    Lint,
    /// Write the descriptions of the protocol and the types in TypeScript from the code.
    Describe {
        /// Also make the description of events the one that later changes are compared with.
        #[arg(long)]
        release: bool,
    },
    /// Write spin-without-cron.toml, the manifest for platforms without a cron trigger, and that of the template for `spin
    /// new`, from spin.toml.
    Manifest,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether every test and check passed.
fn run(command: Command) -> Result<bool> {
    std::env::set_current_dir(shell::root())?;
    let mut is_ok = true;
    match command {
        Command::Setup { tests: false } => setup::for_running()?,
        Command::Setup { tests: true } => setup::for_tests()?,
        Command::Build => {
            setup::wasm::ensure()?;
            setup::node::ensure_for_page()?;
            components::build_all()?;
        }
        Command::Up(up) => up::run(&up)?,
        Command::Test => is_ok = test::run()?,
        Command::Soak(soak) => is_ok = soak::run(&soak)?,
        Command::Bench(bench) => is_ok = bench::run(&bench)?,
        Command::Simulate(simulate) => is_ok = simulate::run(&simulate)?,
        Command::Upgrade(upgrade) => is_ok = upgrade::run(&upgrade)?,
        Command::Fuzz(fuzz) => {
            let (passed, failed) = fuzz::run(&fuzz)?;
            println!("\n{passed} passed, {failed} failed");
            is_ok = failed == 0;
        }
        Command::Mutants(mutants) => is_ok = mutants::run(&mutants)?,
        Command::Lint => lint::run()?,
        Command::Describe { release } => describe(release)?,
        Command::Manifest => manifest::write()?,
    }
    Ok(is_ok)
}

fn describe(is_release: bool) -> Result<()> {
    for file in rollcall_descriptions::FILES {
        std::fs::write(file.path, (file.generate)())?;
    }
    if is_release {
        std::fs::write(compatibility::RELEASED, asyncapi::document())?;
    }
    Ok(())
}

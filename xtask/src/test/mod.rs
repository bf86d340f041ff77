//! Every test, with a summary.
//!
//! | file | what it holds |
//! |---|---|
//! | `step` | one program that runs tests |
//! | `output` | counts and failures in the output of such a program |
//! | `summary` | the table at the end |

mod output;
mod step;
mod summary;

use std::{path::PathBuf, process::Command, thread, time::Instant};

use anyhow::{Context, Result, bail};

use self::{step::Step, summary::Stage};
use crate::{
    cargo, components,
    fuzz::{self, Fuzz},
    setup,
};

/// How long each fuzz target runs: long enough to see that it still works, and to find what is easily found.
const FUZZ_SECONDS: u32 = 5;

/// The step that runs the scripts in Valkey.
const VALKEY: &str = "Valkey";

/// Files of suites that run at once. The suites mostly wait, so even two cores have time for more.
const SUITES_AT_ONCE: &str = "--test-concurrency=3";

/// Sets up, builds, and runs everything; a failure does not keep the rest from running. Returns whether everything
/// passed.
pub fn run() -> Result<bool> {
    let stages =
        [Stage::time("set-up", setup::for_tests)?, Stage::time("build", components::build_all_with_tests)?];
    let cargo = Step::run("cargo test", cargo::compiling().args(["test", "--no-fail-fast"]));
    let valkey = valkey_tests().and_then(|mut valkey| Step::run(VALKEY, &mut valkey));
    // The suites in Node.js mostly wait, so the fuzz targets are built meanwhile.
    let fuzz_build = thread::spawn(fuzz::build_in_background);
    let node = node_tests().and_then(|mut node| Step::run("node --test", &mut node));
    let fuzz = fuzz_build.join().unwrap_or_else(|_| bail!("the build panicked")).and_then(|()| fuzz_step());
    let steps = [("cargo test", cargo), (VALKEY, valkey), ("node --test", node), ("fuzz", fuzz)]
        .map(|(name, step)| step.unwrap_or_else(|error| Step::broken(name, &error)));
    Ok(summary::print(&stages, &steps))
}

/// The suite of the scripts. The packages are those of the whole `cargo test`, so that nothing is built anew.
fn valkey_tests() -> Result<Command> {
    let mut cargo = cargo::compiling();
    cargo.args(["test", "--no-fail-fast", "--test", "scripts"]);
    cargo.env("ROLLCALL_REDIS_SERVER", setup::python_tools::valkey_server()?);
    Ok(cargo)
}

fn node_tests() -> Result<Command> {
    setup::node::compile_clients()?;
    let mut suites: Vec<PathBuf> = Vec::new();
    for folder in folders_of_node_tests() {
        let entries = std::fs::read_dir(&folder).with_context(|| format!("{folder} cannot be read"))?;
        suites.extend(entries.flatten().map(|entry| entry.path()));
    }
    suites.retain(|path| path.to_string_lossy().ends_with(".test.mjs"));
    suites.sort();
    let faketime = setup::faketime_library().context("libfaketime is missing")?;
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=spec", SUITES_AT_ONCE]).args(suites);
    node.env("ROLLCALL_FAKETIME", faketime);
    node.env("ROLLCALL_CHROMIUM", setup::chromium::program().context("Chromium is missing")?);
    node.env("ROLLCALL_NGINX", setup::proxies::program("nginx")?);
    node.env("ROLLCALL_HAPROXY", setup::proxies::program("haproxy")?);
    node.env("ROLLCALL_PYTHON_TOOLS", std::fs::canonicalize(setup::python_tools::ensure()?)?);
    Ok(node)
}

/// Where files of tests in Node.js lie: the end-to-end suites, and the unit tests of the packages and of the
/// study-room page.
fn folders_of_node_tests() -> Vec<String> {
    let packages =
        [setup::node::PAGE].into_iter().chain(setup::node::CLIENTS).map(|folder| format!("{folder}/tests"));
    std::iter::once(format!("{}/suites", setup::node::SUITES)).chain(packages).collect()
}

fn fuzz_step() -> Result<Step> {
    println!("\nTest: fuzz");
    let began = Instant::now();
    let outcomes = fuzz::run_targets(&Fuzz { target: None, seconds: FUZZ_SECONDS })?;
    Ok(Step::of_outcomes("fuzz", outcomes, began.elapsed()))
}

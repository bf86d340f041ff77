//! Fuzzes the parsers.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{setup, shell};

const FOLDER: &str = "tests/fuzz";

/// The folder of inputs that runs discover; `corpus` holds those in the repository.
const DISCOVERED: &str = "target/fuzz";

/// Options of `cargo xtask fuzz`.
#[derive(Args)]
pub struct Fuzz {
    /// The target to run; all targets without it.
    pub target: Option<String>,
    /// How long each target runs, in seconds.
    #[arg(long, default_value_t = 60)]
    pub seconds: u32,
}

/// The result of a target.
pub struct Outcome {
    pub target: String,
    pub is_ok: bool,
    inputs: String,
    coverage: String,
}

/// Sets up, builds and runs the targets. Returns how many passed, and how many failed.
pub fn run(fuzz: &Fuzz) -> Result<(u32, u32)> {
    println!("Set-up:");
    setup::cargo_fuzz::ensure()?;
    println!("Build: fuzz targets");
    shell::run(build().args(&fuzz.target))?;
    let outcomes = run_targets(fuzz)?;
    let passed = outcomes.iter().filter(|outcome| outcome.is_ok).count();
    Ok((u32::try_from(passed)?, u32::try_from(outcomes.len() - passed)?))
}

/// Sets up and builds the targets at the lowest priority, beside other work. Shows the output only if that fails.
pub fn build_in_background() -> Result<()> {
    // Linux holds the priority of each thread, and programs inherit the priority of the thread that starts them.
    rustix::process::nice(19)?;
    setup::cargo_fuzz::ensure()?;
    println!("Build: fuzz targets, beside the tests");
    shell::run_quietly(&mut build())
}

/// Runs the built targets.
pub fn run_targets(fuzz: &Fuzz) -> Result<Vec<Outcome>> {
    let mut targets = find_targets()?;
    if let Some(one) = &fuzz.target {
        targets.retain(|target| target == one);
    }
    if targets.is_empty() {
        bail!("there is no such target in {FOLDER}");
    }
    // A target keeps one core busy.
    let mut outcomes = Vec::new();
    for targets in targets.chunks(thread::available_parallelism()?.get()) {
        println!("Fuzz: {}, for {} s", targets.join(", "), fuzz.seconds);
        outcomes.extend(run_at_once(targets, fuzz.seconds)?);
    }
    println!("\n{:<18} {:>12} {:>9}", "", "inputs", "coverage");
    for Outcome { target, is_ok, inputs, coverage } in &outcomes {
        println!("{target:<18} {inputs:>12} {coverage:>9}{}", if *is_ok { "" } else { "  FAILED" });
    }
    Ok(outcomes)
}

fn build() -> Command {
    let mut command = cargo_fuzz("build");
    command.args(["--sanitizer", "none"]);
    command
}

/// `RUSTC_BOOTSTRAP` unlocks the instrumentation, which stable compilers hide. The targets run without AddressSanitizer,
/// which would only slow down code that forbids `unsafe`.
fn cargo_fuzz(verb: &str) -> Command {
    let mut command = Command::new("cargo");
    command.args(["fuzz", verb, "--fuzz-dir", FOLDER]).env("RUSTC_BOOTSTRAP", "1");
    command
}

fn find_targets() -> Result<Vec<String>> {
    let entries = std::fs::read_dir(Path::new(FOLDER).join("fuzz_targets")).context("no fuzz targets")?;
    let mut targets: Vec<String> = entries
        .flatten()
        .filter_map(|entry| Some(entry.path().file_stem()?.to_string_lossy().into_owned()))
        .collect();
    targets.sort();
    Ok(targets)
}

fn run_at_once(targets: &[String], seconds: u32) -> Result<Vec<Outcome>> {
    thread::scope(|scope| {
        let runs: Vec<_> =
            targets.iter().map(|target| scope.spawn(move || run_target(target, seconds))).collect();
        runs.into_iter().map(|run| run.join().unwrap_or_else(|_| bail!("a run panicked"))).collect()
    })
}

fn run_target(target: &str, seconds: u32) -> Result<Outcome> {
    let discovered = PathBuf::from(DISCOVERED).join(target);
    std::fs::create_dir_all(&discovered)?;
    let mut command = cargo_fuzz("run");
    // The fuzzer writes to the first folder.
    command.args(["--sanitizer", "none", target]).arg(&discovered).arg(format!("{FOLDER}/corpus/{target}"));
    command.args(["--", &format!("-max_total_time={seconds}"), "-timeout=10", "-rss_limit_mb=2048"]);
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
    let log = String::from_utf8_lossy(&output.stderr);
    let is_ok = output.status.success();
    if !is_ok {
        println!("{log}");
    }
    let (inputs, coverage) = parse_totals(&log).unwrap_or_default();
    Ok(Outcome { target: target.to_owned(), is_ok, inputs, coverage })
}

/// Parses `#1531592 DONE cov: 1066 ft: 3361 …` into the number of inputs and the coverage.
fn parse_totals(log: &str) -> Option<(String, String)> {
    let line = log.lines().rev().find(|line| line.contains("DONE"))?;
    let mut words = line.split_whitespace();
    let inputs = words.next()?.trim_start_matches('#').to_owned();
    let coverage = words.skip_while(|word| *word != "cov:").nth(1)?.to_owned();
    Some((inputs, coverage))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_parsed_from_the_last_line() {
        let log =
            "#2\tINITED cov: 1 ft: 2\n#42\tDONE   cov: 7 ft: 8 corp: 3/9b\nDone 42 runs in 1 second(s)\n";
        assert_eq!(parse_totals(log), Some(("42".to_owned(), "7".to_owned())));
        assert_eq!(parse_totals("error: no such target"), None);
    }
}

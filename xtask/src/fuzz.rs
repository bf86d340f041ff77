//! Feeds parsers with whatever a fuzzer thinks of.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{setup, shell};

const FOLDER: &str = "tests/fuzz";

/// Where inputs go that were found on the way, beside those that are kept in the repository.
const FOUND: &str = "target/fuzz";

/// Options of `cargo xtask fuzz`.
#[derive(Args)]
pub struct Fuzz {
    /// The one target to run; all of them if left out.
    pub target: Option<String>,
    /// How long each runs.
    #[arg(long, default_value_t = 60)]
    pub seconds: u32,
}

/// What became of a target.
struct Run {
    target: String,
    is_ok: bool,
    runs: String,
    coverage: String,
}

/// Sets up, builds, and runs. Returns how many targets passed, and how many failed.
pub fn run(fuzz: &Fuzz) -> Result<(u32, u32)> {
    println!("Set-up:");
    setup::cargo_fuzz::ensure()?;
    println!("Build: fuzz targets");
    shell::run(cargo_fuzz("build").args(["--sanitizer", "none"]).args(&fuzz.target))?;
    let mut targets = targets()?;
    if let Some(one) = &fuzz.target {
        targets.retain(|target| target == one);
    }
    if targets.is_empty() {
        bail!("there is no such target in {FOLDER}");
    }
    let mut runs = Vec::new();
    for target in targets {
        println!("Fuzz: {target}, for {} s", fuzz.seconds);
        runs.push(run_target(target, fuzz.seconds)?);
    }
    println!("\n{:<18} {:>12} {:>9}", "", "inputs", "coverage");
    for Run { target, is_ok, runs, coverage } in &runs {
        println!("{target:<18} {runs:>12} {coverage:>9}{}", if *is_ok { "" } else { "  FAILED" });
    }
    let passed = runs.iter().filter(|run| run.is_ok).count();
    Ok((u32::try_from(passed)?, u32::try_from(runs.len() - passed)?))
}

/// The targets are compiled with instrumentation that only a nightly compiler gives without being asked twice.
/// AddressSanitizer would find nothing in code that forbids `unsafe`, and makes it slower.
fn cargo_fuzz(verb: &str) -> Command {
    let mut command = Command::new("cargo");
    command.args(["fuzz", verb, "--fuzz-dir", FOLDER]).env("RUSTC_BOOTSTRAP", "1");
    command
}

fn targets() -> Result<Vec<String>> {
    let entries = std::fs::read_dir(Path::new(FOLDER).join("fuzz_targets")).context("no fuzz targets")?;
    let mut targets: Vec<String> = entries
        .flatten()
        .filter_map(|entry| Some(entry.path().file_stem()?.to_string_lossy().into_owned()))
        .collect();
    targets.sort();
    Ok(targets)
}

fn run_target(target: String, seconds: u32) -> Result<Run> {
    let found = PathBuf::from(FOUND).join(&target);
    std::fs::create_dir_all(&found)?;
    let mut command = cargo_fuzz("run");
    // The first folder is the one that is written to.
    command.args(["--sanitizer", "none", &target]).arg(&found).arg(format!("{FOLDER}/corpus/{target}"));
    command.args(["--", &format!("-max_total_time={seconds}"), "-timeout=10", "-rss_limit_mb=2048"]);
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let is_ok = output.status.success();
    if !is_ok {
        println!("{said}");
    }
    let (runs, coverage) = done(&said).unwrap_or_default();
    Ok(Run { target, is_ok, runs, coverage })
}

/// Reads `#1531592 DONE cov: 1066 ft: 3361 …`.
fn done(said: &str) -> Option<(String, String)> {
    let line = said.lines().rev().find(|line| line.contains("DONE"))?;
    let mut words = line.split_whitespace();
    let runs = words.next()?.trim_start_matches('#').to_owned();
    let coverage = words.skip_while(|word| *word != "cov:").nth(1)?.to_owned();
    Some((runs, coverage))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_tells_how_much_was_tried() {
        let said =
            "#2\tINITED cov: 1 ft: 2\n#42\tDONE   cov: 7 ft: 8 corp: 3/9b\nDone 42 runs in 1 second(s)\n";
        assert_eq!(done(said), Some(("42".to_owned(), "7".to_owned())));
        assert_eq!(done("error: no such target"), None);
    }
}

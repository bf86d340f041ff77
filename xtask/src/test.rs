//! Every test, with a summary.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Instant,
};

use anyhow::{Context, Result};

use crate::{
    components,
    fuzz::{self, Fuzz},
    setup, shell,
};

/// How long each fuzz target runs: long enough to see that it still works, and to find what is easily found.
const FUZZ_SECONDS: u32 = 5;

const SUITES: &str = "tests/e2e/suites";

/// How many tests passed and failed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Count {
    passed: u32,
    failed: u32,
}

struct Step {
    name: &'static str,
    count: Count,
    is_ok: bool,
    seconds: u64,
}

/// Sets up, builds, and runs everything; a failure does not keep the rest from running. Returns whether everything
/// passed.
pub fn run() -> Result<bool> {
    setup::for_tests()?;
    components::build_all_with_tests()?;
    let steps = [
        step("cargo test", Command::new("cargo").args(["test", "--no-fail-fast"]))?,
        step("node --test", &mut node_tests()?)?,
        fuzz_step()?,
    ];
    Ok(summarize(&steps))
}

fn node_tests() -> Result<Command> {
    let mut suites: Vec<_> = std::fs::read_dir(SUITES)
        .with_context(|| format!("{SUITES} cannot be read"))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    suites.sort();
    let faketime = setup::faketime_library().context("libfaketime is missing")?;
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=spec", "--test-concurrency=2"]).args(suites);
    node.env("ROLLCALL_FAKETIME", faketime);
    node.env("ROLLCALL_CHROMIUM", setup::chromium::program().context("Chromium is missing")?);
    node.env("ROLLCALL_NGINX", setup::nginx::program().context("nginx is missing")?);
    node.env("ROLLCALL_PYTHON_TOOLS", std::fs::canonicalize(setup::python_tools::ensure()?)?);
    Ok(node)
}

fn fuzz_step() -> Result<Step> {
    println!("\nTest: fuzz");
    let began = Instant::now();
    let (passed, failed) = fuzz::run(&Fuzz { target: None, seconds: FUZZ_SECONDS })?;
    let count = Count { passed, failed };
    Ok(Step { name: "fuzz", count, is_ok: failed == 0 && passed > 0, seconds: began.elapsed().as_secs() })
}

fn step(name: &'static str, command: &mut Command) -> Result<Step> {
    println!("\nTest: {name}");
    let began = Instant::now();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run `{}`", shell::describe(command)))?;
    let count = Arc::new(Mutex::new(Count::default()));
    let readers: Vec<_> = [
        child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
        child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
    ]
    .into_iter()
    .flatten()
    .map(|pipe| {
        let count = Arc::clone(&count);
        thread::spawn(move || relay(pipe, &count))
    })
    .collect();
    for reader in readers {
        let _ = reader.join();
    }
    let status = child.wait()?;
    let count = count.lock().map(|count| *count).unwrap_or_default();
    let is_ok = status.success() && count.failed == 0 && count.passed > 0;
    Ok(Step { name, count, is_ok, seconds: began.elapsed().as_secs() })
}

/// Prints each line as it comes, and adds up the counts in it.
fn relay(pipe: Box<dyn Read + Send>, total: &Mutex<Count>) {
    // By bytes, because a test may print anything; a pipe that nobody reads would stop it.
    for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        if let (Some(count), Ok(mut total)) = (count_of(&line), total.lock()) {
            total.passed += count.passed;
            total.failed += count.failed;
        }
    }
}

/// Reads `test result: ok. 3 passed; 0 failed; …` of cargo, and `ℹ pass 3` or `ℹ fail 0` of Node.js.
fn count_of(line: &str) -> Option<Count> {
    let words: Vec<&str> = line.split_whitespace().collect();
    if line.starts_with("test result:") {
        let before = |name: &str| {
            let place = words.iter().position(|word| word.trim_end_matches(';') == name)?;
            words.get(place.checked_sub(1)?)?.parse().ok()
        };
        return Some(Count { passed: before("passed")?, failed: before("failed")? });
    }
    match words.as_slice() {
        ["ℹ" | "#", "pass", number] => Some(Count { passed: number.parse().ok()?, failed: 0 }),
        ["ℹ" | "#", "fail", number] => Some(Count { passed: 0, failed: number.parse().ok()? }),
        _ => None,
    }
}

/// Whether everything passed.
fn summarize(steps: &[Step]) -> bool {
    println!("\n{:<14} {:>7} {:>7} {:>8}", "", "passed", "failed", "seconds");
    for Step { name, count, is_ok, seconds } in steps {
        let verdict = if *is_ok { "" } else { "  FAILED" };
        println!("{name:<14} {:>7} {:>7} {seconds:>8}{verdict}", count.passed, count.failed);
    }
    let passed: u32 = steps.iter().map(|step| step.count.passed).sum();
    let failed: u32 = steps.iter().map(|step| step.count.failed).sum();
    println!("\n{passed} passed, {failed} failed");
    steps.iter().all(|step| step.is_ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_cargo_and_from_node() {
        let cargo = "test result: ok. 34 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(count_of(cargo), Some(Count { passed: 34, failed: 1 }));
        assert_eq!(count_of("ℹ pass 12"), Some(Count { passed: 12, failed: 0 }));
        assert_eq!(count_of("# fail 2"), Some(Count { passed: 0, failed: 2 }));
        assert_eq!(count_of("the test will pass 3"), None);
    }
}

//! The table at the end.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::step::Step;

/// Work before the tests.
pub struct Stage {
    name: &'static str,
    duration: Duration,
}

impl Stage {
    /// Does the work, and measures how long it takes.
    pub fn time(name: &'static str, work: impl FnOnce() -> Result<()>) -> Result<Self> {
        let began = Instant::now();
        work()?;
        Ok(Self { name, duration: began.elapsed() })
    }
}

/// Prints what took how long, what failed, and the totals. Returns whether everything passed.
pub fn print(stages: &[Stage], steps: &[Step]) -> bool {
    println!("\n{:<14} {:>7} {:>7} {:>8}", "", "passed", "failed", "seconds");
    for Stage { name, duration } in stages {
        println!("{name:<14} {:>7} {:>7} {:>8}", "", "", duration.as_secs());
    }
    for Step { name, results, is_ok, duration } in steps {
        let verdict = if *is_ok { "" } else { "  FAILED" };
        let seconds = duration.as_secs();
        println!("{name:<14} {:>7} {:>7} {seconds:>8}{verdict}", results.passed, results.failed);
    }
    let failures: Vec<_> = steps
        .iter()
        .flat_map(|step| step.results.failures.iter().map(move |test| (step.name, test)))
        .collect();
    if !failures.is_empty() {
        println!("\nFailed:");
        failures.iter().for_each(|(step, test)| println!("  {step}: {test}"));
    }
    let passed: u32 = steps.iter().map(|step| step.results.passed).sum();
    let failed: u32 = steps.iter().map(|step| step.results.failed).sum();
    println!("\n{passed} passed, {failed} failed");
    steps.iter().all(|step| step.is_ok)
}

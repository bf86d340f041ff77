//! One program that runs tests.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::output::{Reader, Results};
use crate::{fuzz, shell};

/// What the program reported.
pub struct Step {
    pub name: &'static str,
    pub results: Results,
    pub is_ok: bool,
    pub duration: Duration,
}

impl Step {
    /// Runs the program and prints its output as it comes.
    pub fn run(name: &'static str, command: &mut Command) -> Result<Self> {
        println!("\nTest: {name}");
        let began = Instant::now();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run `{}`", shell::describe(command)))?;
        let reader = Arc::new(Mutex::new(Reader::default()));
        let relays: Vec<_> = [
            child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
            child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
        ]
        .into_iter()
        .flatten()
        .map(|pipe| {
            let reader = Arc::clone(&reader);
            thread::spawn(move || relay(pipe, &reader))
        })
        .collect();
        for relay in relays {
            let _ = relay.join();
        }
        let status = child.wait()?;
        let results = reader.lock().map(|reader| reader.results()).unwrap_or_default();
        let is_ok = status.success() && results.failed == 0 && results.passed > 0;
        Ok(Self { name, results, is_ok, duration: began.elapsed() })
    }

    /// A step that could not run.
    pub fn broken(name: &'static str, error: &anyhow::Error) -> Self {
        println!("{name}: {error:#}");
        let failures = vec!["it could not run; the reason is above".to_owned()];
        Self {
            name,
            results: Results { passed: 0, failed: 1, failures },
            is_ok: false,
            duration: Duration::ZERO,
        }
    }

    /// The step of the fuzz targets.
    pub fn of_outcomes(name: &'static str, outcomes: Vec<fuzz::Outcome>, duration: Duration) -> Self {
        let mut results = Results::default();
        for outcome in outcomes {
            if outcome.is_ok {
                results.passed += 1;
            } else {
                results.failed += 1;
                results.failures.push(outcome.target);
            }
        }
        let is_ok = results.failed == 0 && results.passed > 0;
        Self { name, results, is_ok, duration }
    }
}

/// Prints each line as it comes, and reads it.
fn relay(pipe: Box<dyn Read + Send>, reader: &Mutex<Reader>) {
    // By bytes, because a test may print anything; a pipe that nobody reads would stop it.
    for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        if let Ok(mut reader) = reader.lock() {
            reader.read(&line);
        }
    }
}

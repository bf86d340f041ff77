//! A built test program, and a run of it until its first failure.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::shell;

/// Steps of the model for each mutant: what they miss, a test of its own should catch.
const MODEL_STEPS: &str = "3000";

/// Tests at once: more than cores, because tests wait for their servers.
const THREADS: &str = "6";

/// How long the scripts without a change may take.
const MAX_TIME: Duration = Duration::from_secs(600);
/// Only a mutant that hangs takes so many times as long as the scripts without a change, even on a busy machine.
const SLOWDOWN: u32 = 5;
/// The same for a few tests.
const SOME_TIME: Duration = Duration::from_secs(20);

pub struct Program {
    path: PathBuf,
    time_limit: Duration,
}

impl Program {
    /// Runs a program with the scripts in a folder, which have no change, to learn how long it takes.
    pub fn measure(path: PathBuf, scripts: &Path) -> Result<Self> {
        let (began, program) = (Instant::now(), Self { path, time_limit: MAX_TIME });
        if let Some(by) = program.find_failure(scripts, &[])? {
            bail!("the tests fail without a change: {by}");
        }
        Ok(Self { time_limit: began.elapsed() * SLOWDOWN, ..program })
    }

    /// The names of all tests.
    pub fn list_tests(&self) -> Result<Vec<String>> {
        let output = Command::new(&self.path).args(["--list", "--format", "terse"]).output()?;
        let lines = String::from_utf8(output.stdout)?;
        Ok(lines.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
    }

    /// Runs these tests, or all if there is none, with the scripts in a folder. Returns the first failure.
    pub fn find_failure(&self, scripts: &Path, tests: &[String]) -> Result<Option<String>> {
        let mut command = Command::new(&self.path);
        command.args(["--test-threads", THREADS]);
        let mut time_limit = self.time_limit;
        if !tests.is_empty() {
            command.arg("--exact").args(tests);
            time_limit = SOME_TIME;
        }
        // A group of its own, so that the suite and its servers end together.
        let mut command = shell::in_own_group(command);
        command.current_dir("tests");
        command.env("ROLLCALL_SCRIPTS", std::fs::canonicalize(scripts)?);
        command.env("ROLLCALL_MODEL_STEPS", MODEL_STEPS);
        find_failure(&mut command, time_limit)
    }
}

/// Runs a suite until its first failure. Returns what failed.
fn find_failure(suite: &mut Command, time_limit: Duration) -> Result<Option<String>> {
    let mut child = suite.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let failure = watch(&mut child, time_limit);
    if !matches!(failure, Ok(None)) {
        end_group(&mut child)?;
    }
    let status = child.wait()?;
    Ok(failure?.or_else(|| (!status.success()).then(|| status.to_string())))
}

/// Reads the output of a suite until a test fails, the suite ends or its time is over.
fn watch(child: &mut Child, time_limit: Duration) -> Result<Option<String>> {
    let stdout = child.stdout.take().context("the suite has no output")?;
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        lines.try_for_each(|line| sender.send(line))
    });
    let deadline = Instant::now() + time_limit;
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                if let Some(test) =
                    line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED"))
                {
                    return Ok(Some(test.to_owned()));
                }
            }
            Err(RecvTimeoutError::Timeout) => return Ok(Some("the time limit".to_owned())),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
        }
    }
}

fn end_group(child: &mut Child) -> Result<()> {
    use rustix::process::{Pid, Signal, kill_process_group};
    let group = Pid::from_raw(i32::try_from(child.id())?).context("a process has an id")?;
    kill_process_group(group, Signal::KILL).context("the suite cannot be ended")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail_within(time_limit: Duration, script: &str) -> Option<String> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        find_failure(&mut shell::in_own_group(command), time_limit).unwrap()
    }

    #[test]
    fn a_suite_ends_at_its_first_failure() {
        let failure = fail_within(MAX_TIME, "echo 'test a ... ok'; echo 'test b::c ... FAILED'; sleep 600");
        assert_eq!(failure.as_deref(), Some("b::c"));
        assert_eq!(fail_within(MAX_TIME, "echo 'test a ... ok'"), None);
        assert!(fail_within(MAX_TIME, "exit 3").unwrap().contains('3'));
    }

    #[test]
    fn a_suite_that_hangs_ends_at_its_time_limit() {
        let failure = fail_within(Duration::ZERO, "sleep 600");
        assert_eq!(failure.as_deref(), Some("the time limit"));
    }
}

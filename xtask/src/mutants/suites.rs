//! The test programs that mutants run against.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{cargo, shell};

/// Suites of `rollcall-tests`, the one that fails sooner first.
const SUITES: [&str; 2] = ["model", "scripts"];

/// Steps of the model for each mutant: what they miss, a test of its own should catch.
const MODEL_STEPS: &str = "3000";

/// How long a suite may run. Only a mutant that hangs takes as long, even on a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// The built test programs, in the order of [`SUITES`].
pub struct Suites(Vec<PathBuf>);

/// The end of a run against one mutant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A test failed, or a suite hung.
    Caught {
        by: String,
    },
    Survived,
}

impl Suites {
    /// Builds the suites, and copies them to a folder, so that a build during the run changes nothing.
    pub fn build(folder: &Path) -> Result<Self> {
        let mut build = cargo::compiling();
        build.args(["test", "--no-run", "--message-format", "json"]);
        build.args(SUITES.iter().flat_map(|suite| ["--test", suite]));
        let output = build.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
        if !output.status.success() {
            bail!("`{}` failed: {}", shell::describe(&build), output.status);
        }
        let messages = String::from_utf8(output.stdout)?;
        let program =
            |suite: &&str| find_program(&messages, suite).with_context(|| format!("cargo built no {suite}"));
        let programs: Vec<PathBuf> = SUITES.iter().map(program).collect::<Result<_>>()?;
        Ok(Self(programs.iter().map(|program| copy(program, folder)).collect::<Result<_>>()?))
    }

    /// Runs the suites with the scripts in a folder until a test fails.
    pub fn run(&self, scripts: &Path) -> Result<Outcome> {
        for program in &self.0 {
            let mut command = Command::new(program);
            command.args(["--test-threads", "2"]);
            // A group of its own, so that the suite and its servers end together.
            let mut command = shell::in_own_group(command);
            command.current_dir("tests");
            command.env("ROLLCALL_SCRIPTS", std::fs::canonicalize(scripts)?);
            command.env("ROLLCALL_MODEL_STEPS", MODEL_STEPS);
            if let Some(by) = find_failure(&mut command)? {
                return Ok(Outcome::Caught { by });
            }
        }
        Ok(Outcome::Survived)
    }
}

/// Finds the program of a suite in cargo's messages.
fn find_program(messages: &str, suite: &str) -> Option<PathBuf> {
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut programs = artifacts.filter(|artifact| artifact["target"]["name"] == suite);
    programs.find_map(|artifact| artifact["executable"].as_str().map(PathBuf::from))
}

fn copy(program: &Path, folder: &Path) -> Result<PathBuf> {
    let copy = folder.join(program.file_name().context("a program has a name")?);
    std::fs::copy(program, &copy)?;
    Ok(std::fs::canonicalize(copy)?)
}

/// Runs a suite until its first failure. Returns what failed.
fn find_failure(suite: &mut Command) -> Result<Option<String>> {
    let mut child = suite.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let failure = watch(&mut child);
    if !matches!(failure, Ok(None)) {
        end_group(&mut child)?;
    }
    let status = child.wait()?;
    Ok(failure?.or_else(|| (!status.success()).then(|| status.to_string())))
}

/// Reads the output of a suite until a test fails, the suite ends or its time is over.
fn watch(child: &mut Child) -> Result<Option<String>> {
    let stdout = child.stdout.take().context("the suite has no output")?;
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        lines.try_for_each(|line| sender.send(line))
    });
    let deadline = Instant::now() + TIME_LIMIT;
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

    fn script(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        shell::in_own_group(command)
    }

    #[test]
    fn a_suite_ends_at_its_first_failure() {
        let failure =
            find_failure(&mut script("echo 'test a ... ok'; echo 'test b::c ... FAILED'; sleep 600"));
        assert_eq!(failure.unwrap().as_deref(), Some("b::c"));
        assert_eq!(find_failure(&mut script("echo 'test a ... ok'")).unwrap(), None);
        assert!(find_failure(&mut script("exit 3")).unwrap().unwrap().contains('3'));
    }

    #[test]
    fn the_program_of_a_suite_is_found_in_the_messages_of_cargo() {
        let messages = "{\"target\":{\"name\":\"scripts\"},\"executable\":null}\nnoise\n\
                        {\"target\":{\"name\":\"model\"},\"executable\":\"/m\"}\n\
                        {\"target\":{\"name\":\"scripts\"},\"executable\":\"/s\"}\n";
        assert_eq!(find_program(messages, "scripts"), Some(PathBuf::from("/s")));
        assert_eq!(find_program(messages, "load"), None);
    }
}

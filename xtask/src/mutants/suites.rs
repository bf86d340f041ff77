//! The suites that mutants run against.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, bail};

use super::{catchers::Catchers, program::Program};
use crate::{cargo, shell};

/// Suites of `rollcall-tests`.
const MODEL: &str = "model";
const SCRIPTS: &str = "scripts";

pub struct Suites {
    model: Program,
    scripts: Program,
    /// Tests of `scripts`: the model is a single test.
    catchers: Catchers,
}

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
    /// Builds the suites, and copies them to a folder, so that a build during the run changes nothing. Another folder has
    /// the scripts without a change.
    pub fn build(folder: &Path, scripts: &Path) -> Result<Self> {
        let mut build = cargo::compiling();
        build.args(["test", "--no-run", "--message-format", "json", "--test", MODEL, "--test", SCRIPTS]);
        let output = build.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
        if !output.status.success() {
            bail!("`{}` failed: {}", shell::describe(&build), output.status);
        }
        let messages = String::from_utf8(output.stdout)?;
        println!("Test: the scripts without a change");
        let prepare = |suite| {
            let built = find_program(&messages, suite).with_context(|| format!("cargo built no {suite}"))?;
            Program::measure(copy(&built, folder)?, scripts)
        };
        let (model, scripts) = (prepare(MODEL)?, prepare(SCRIPTS)?);
        let catchers = Catchers::new(scripts.list_tests()?);
        Ok(Self { model, scripts, catchers })
    }

    /// Runs the suites with the scripts in a folder, one file of which is changed, until a test fails. The model fails
    /// sooner than the other suite, but later than a few tests that are likely to fail.
    pub fn run(&self, scripts: &Path, file: &str) -> Result<Outcome> {
        let catchers = self.catchers.of(file);
        if !catchers.is_empty()
            && let Some(by) = self.scripts.find_failure(scripts, &catchers)?
        {
            return Ok(Outcome::Caught { by });
        }
        if let Some(by) = self.model.find_failure(scripts, &[])? {
            return Ok(Outcome::Caught { by });
        }
        let Some(by) = self.scripts.find_failure(scripts, &[])? else { return Ok(Outcome::Survived) };
        self.catchers.add(file, &by);
        Ok(Outcome::Caught { by })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_of_a_suite_is_found_in_the_messages_of_cargo() {
        let messages = "{\"target\":{\"name\":\"scripts\"},\"executable\":null}\nnoise\n\
                        {\"target\":{\"name\":\"model\"},\"executable\":\"/m\"}\n\
                        {\"target\":{\"name\":\"scripts\"},\"executable\":\"/s\"}\n";
        assert_eq!(find_program(messages, SCRIPTS), Some(PathBuf::from("/s")));
        assert_eq!(find_program(messages, "load"), None);
    }
}

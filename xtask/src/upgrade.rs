//! Runs the suite of rolling upgrades, with an earlier revision as the previous release.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{cargo, components, setup, shell};

const SUITE: &str = "tests/e2e/suites/rolling-upgrade.test.mjs";

/// Options of `cargo xtask upgrade`.
#[derive(Args)]
pub struct Upgrade {
    /// The revision that members are on at first: a tag, a branch or a commit.
    from: String,
}

/// Sets up, builds both revisions and runs the suite. Returns whether it passed.
pub fn run(upgrade: &Upgrade) -> Result<bool> {
    setup::for_tests()?;
    components::build_all_with_tests()?;
    let previous = check_out(&upgrade.from)?;
    println!("Build: {}", upgrade.from);
    let mut build = cargo::as_from_a_shell();
    build.args(["xtask", "build"]).current_dir(&previous);
    // The previous release has a target folder of its own.
    build.env_remove("CARGO_TARGET_DIR");
    shell::run(&mut build)?;
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=spec", SUITE]).env("ROLLCALL_PREVIOUS", previous);
    Ok(node.status().context("cannot run node")?.success())
}

/// Copies the files of a revision into a folder of its own, unless they are there. Returns that folder.
fn check_out(revision: &str) -> Result<PathBuf> {
    let commit = format!("{revision}^{{commit}}");
    let id =
        shell::output_of(Command::new("git").args(["rev-parse", "--verify", "--end-of-options", &commit]))
            .with_context(|| format!("there is no revision {revision}"))?;
    let folder = shell::target_folder()?.join("previous").join(&id);
    if !folder.is_dir() {
        let unfinished = folder.with_extension("unfinished");
        std::fs::create_dir_all(&unfinished)?;
        extract(&id, &unfinished)?;
        std::fs::rename(unfinished, &folder)?;
    }
    Ok(folder)
}

fn extract(commit: &str, folder: &Path) -> Result<()> {
    let mut archive = Command::new("git").args(["archive", commit]).stdout(Stdio::piped()).spawn()?;
    let files = archive.stdout.take().context("git has no output")?;
    let status = Command::new("tar").args(["-xf", "-"]).current_dir(folder).stdin(files).status()?;
    if !(archive.wait()?.success() && status.success()) {
        bail!("cannot copy {commit} to {}", folder.display());
    }
    Ok(())
}

//! Node.js and the npm packages of the end-to-end tests, the official Socket.IO client first of all.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, bail};

use crate::shell;

/// Where the suites that run in Node.js lie.
pub const SUITES: &str = "tests/e2e";

const OLDEST: u32 = 20;

/// Makes sure of Node.js and the packages.
pub fn ensure() -> Result<()> {
    let version = shell::output_of(Command::new("node").arg("--version"))
        .with_context(|| format!("Node.js is missing; install {OLDEST} or newer from nodejs.org"))?;
    if major_of(&version).is_none_or(|major| major < OLDEST) {
        bail!("Node.js is {version}; install {OLDEST} or newer from nodejs.org");
    }
    shell::present(&format!("node {version}"));
    if !are_packages_current() {
        shell::doing("npm packages of the tests");
        shell::run_quietly(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(SUITES))?;
    }
    shell::present("npm packages of the tests");
    Ok(())
}

fn major_of(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// npm writes its own lock file last of all.
fn are_packages_current() -> bool {
    let modified =
        |file: &str| Path::new(SUITES).join(file).metadata().and_then(|about| about.modified()).ok();
    let wanted = modified("package-lock.json");
    wanted.is_some() && modified("node_modules/.package-lock.json") >= wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read() {
        assert_eq!(major_of("v20.20.2"), Some(20));
        assert_eq!(major_of("20"), None);
    }
}

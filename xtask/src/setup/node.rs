//! Node.js, and the npm packages of the study-room page, of the packages for clients and servers, of the end-to-end tests,
//! and of the services that the benchmark compares with.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, bail};

use crate::shell;

/// Where the suites that run in Node.js lie.
pub const SUITES: &str = "tests/e2e";

/// The packages in TypeScript for clients and servers. The hooks for React need the compiled client, which comes before.
pub const CLIENTS: [&str; 4] = ["clients/js", "clients/react", "clients/server", "clients/yjs"];

/// The study-room page.
pub const PAGE: &str = "web";

/// The services that the benchmark compares Rollcall with. Tests run them, too.
pub const COMPARED: [&str; 2] = ["tests/bench/reference", "tests/bench/colyseus"];

const OLDEST: u32 = 20;

/// Makes sure of Node.js and all packages.
pub fn ensure() -> Result<()> {
    ensure_for_bench()?;
    [SUITES, PAGE].into_iter().chain(CLIENTS).try_for_each(ensure_packages)
}

/// Makes sure of what the study-room page needs.
pub fn ensure_for_page() -> Result<()> {
    ensure_node()?;
    ensure_packages(PAGE)
}

/// Makes sure of what the benchmark needs.
pub fn ensure_for_bench() -> Result<()> {
    ensure_node()?;
    COMPARED.into_iter().try_for_each(ensure_packages)
}

/// Compiles the packages in TypeScript, which checks their types, too.
pub fn compile_clients() -> Result<()> {
    CLIENTS.into_iter().try_for_each(run_build)
}

/// Builds the study-room page, and checks its types.
pub fn build_page() -> Result<()> {
    run_build(PAGE)
}

fn run_build(folder: &str) -> Result<()> {
    shell::run_quietly(Command::new("npm").args(["run", "build"]).current_dir(folder))
}

fn ensure_node() -> Result<()> {
    let version = shell::output_of(Command::new("node").arg("--version"))
        .with_context(|| format!("Node.js is missing; install {OLDEST} or newer from nodejs.org"))?;
    if major_of(&version).is_none_or(|major| major < OLDEST) {
        bail!("Node.js is {version}; install {OLDEST} or newer from nodejs.org");
    }
    shell::present(&format!("node {version}"));
    Ok(())
}

fn ensure_packages(folder: &str) -> Result<()> {
    let what = format!("npm packages of {folder}");
    if !are_packages_current(Path::new(folder)) {
        shell::doing(&what);
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(folder);
        shell::run_quietly(&mut npm)?;
    }
    shell::present(&what);
    Ok(())
}

fn major_of(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// npm writes its own lock file last of all.
fn are_packages_current(folder: &Path) -> bool {
    let modified = |file: &str| folder.join(file).metadata().and_then(|about| about.modified()).ok();
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

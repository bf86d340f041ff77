//! Programs from PyPI, each in a virtual environment of its own.

use std::{path::Path, process::Command};

use anyhow::Result;

use super::debian;
use crate::shell;

/// Creates a virtual environment with these packages; replaces an earlier one.
pub fn create_environment(folder: &Path, packages: &[&str]) -> Result<()> {
    if shell::output_of(Command::new("python3").args(["-c", "import ensurepip, venv"])).is_none() {
        debian::install(&["python3", "python3-venv"], "install Python 3.11 or newer")?;
    }
    shell::run_quietly(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))?;
    shell::run_quietly(Command::new(folder.join("bin/pip")).args(["install", "--quiet"]).args(packages))
}

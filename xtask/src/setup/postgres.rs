//! PostgreSQL, which the tests of sessions from a database start for themselves.

use std::path::PathBuf;

use anyhow::Result;

use super::debian;
use crate::shell;

/// Makes sure of the server's programs.
pub fn ensure() -> Result<()> {
    if program().is_none() {
        debian::install(&["postgresql"], "install it with `brew install postgresql`")?;
    }
    if let Some(program) = program() {
        shell::present(&format!("PostgreSQL {}", program.display()));
    }
    Ok(())
}

/// Debian keeps them in a folder for each version, which is in no `PATH`.
fn program() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found = versions.map(|version| version.path().join("bin/postgres")).filter(|path| path.is_file());
    found.next().or_else(|| shell::which("postgres"))
}

//! PostgreSQL, which tests of definitions in a database start.

use std::path::PathBuf;

use anyhow::Result;

use super::debian;
use crate::shell;

/// Installs the server's programs.
pub fn ensure() -> Result<()> {
    if find_program().is_none() {
        debian::install(&["postgresql"], "install it with `brew install postgresql`")?;
    }
    if let Some(program) = find_program() {
        shell::present(&format!("PostgreSQL {}", program.display()));
    }
    Ok(())
}

/// Finds the server. Debian has a folder for each version, outside of `PATH`.
fn find_program() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found = versions.map(|version| version.path().join("bin/postgres")).filter(|path| path.is_file());
    found.next().or_else(|| shell::which("postgres"))
}

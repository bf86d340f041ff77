//! nginx, behind which end-to-end tests put a bridge.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::debian;
use crate::shell;

/// Installs the server.
pub fn ensure() -> Result<()> {
    if program().is_none() {
        debian::install(&["nginx"], "install it with `brew install nginx`")?;
    }
    let program = program().context("nginx is installed, but not in PATH")?;
    shell::present(&format!("nginx {}", program.display()));
    Ok(())
}

/// Finds the server.
pub fn program() -> Option<PathBuf> {
    shell::which_server("nginx")
}

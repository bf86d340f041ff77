//! Chromium, in which end-to-end tests open pages.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::debian;
use crate::shell;

/// Installs the browser.
pub fn ensure() -> Result<()> {
    if program().is_none() {
        debian::install(&["chromium"], "install it with `brew install --cask chromium`")?;
    }
    let program = program().context("Chromium is installed, but not in PATH")?;
    shell::present(&format!("Chromium {}", program.display()));
    Ok(())
}

/// Finds the browser.
pub fn program() -> Option<PathBuf> {
    shell::which("chromium").or_else(|| {
        let bundle = PathBuf::from("/Applications/Chromium.app/Contents/MacOS/Chromium");
        bundle.is_file().then_some(bundle)
    })
}

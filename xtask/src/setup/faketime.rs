//! libfaketime, with which the end-to-end tests move the clock of a real Redis.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::debian;
use crate::shell;

/// Installs the library.
pub fn ensure() -> Result<()> {
    if library().is_none() {
        debian::install(&["libfaketime"], "install it with `brew install libfaketime`")?;
    }
    let library = library().context("libfaketime is installed, but in no folder that this program knows")?;
    shell::present(&format!("libfaketime {}", library.display()));
    Ok(())
}

/// Finds the library. Debian has a folder for each architecture.
pub fn library() -> Option<PathBuf> {
    let folders = ["/usr/lib", "/usr/local/lib", "/opt/homebrew/lib"];
    let below = |folder: &str| {
        let entries = std::fs::read_dir(folder).ok()?;
        entries.flatten().map(|entry| entry.path()).chain([folder.into()]).find_map(|path| {
            let names = ["faketime/libfaketime.so.1", "faketime/libfaketime.1.dylib"];
            names.iter().map(|name| path.join(name)).find(|file| file.is_file())
        })
    };
    folders.into_iter().find_map(below)
}

//! nginx and HAProxy, behind which end-to-end tests put bridges. Caddy and Envoy are among the tools from PyPI.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::debian;
use crate::shell;

/// Installs both proxies.
pub fn ensure() -> Result<()> {
    for name in ["nginx", "haproxy"] {
        if shell::which_server(name).is_none() {
            debian::install(&[name], &format!("install it with `brew install {name}`"))?;
        }
        shell::present(&format!("{name} {}", program(name)?.display()));
    }
    Ok(())
}

/// Finds a proxy.
pub fn program(name: &str) -> Result<PathBuf> {
    shell::which_server(name).with_context(|| format!("{name} is installed, but not in PATH"))
}

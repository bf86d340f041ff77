//! Prometheus and promtool, with which end-to-end tests try alerts and dashboards.

use anyhow::Result;

use super::debian;
use crate::shell;

/// Installs both programs.
///
/// Debian starts a Prometheus on port 9090, which no test uses; it has no targets of this project.
pub fn ensure() -> Result<()> {
    if ["prometheus", "promtool"].iter().any(|name| shell::which(name).is_none()) {
        debian::install(&["prometheus"], "install it with `brew install prometheus`")?;
    }
    if let Some(program) = shell::which("prometheus") {
        shell::present(&format!("Prometheus {}", program.display()));
    }
    Ok(())
}

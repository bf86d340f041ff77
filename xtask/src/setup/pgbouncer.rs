//! PgBouncer, through which tests of definitions in a database connect.

use anyhow::Result;

use super::debian;
use crate::shell;

/// Installs the proxy.
pub fn ensure() -> Result<()> {
    if shell::which_server("pgbouncer").is_none() {
        debian::install(&["pgbouncer"], "install it with `brew install pgbouncer`")?;
    }
    if let Some(program) = shell::which_server("pgbouncer") {
        shell::present(&format!("PgBouncer {}", program.display()));
    }
    Ok(())
}

//! The sources of locales, from which a test makes one for Redis.

use std::path::Path;

use anyhow::Result;

use super::debian;
use crate::shell;

/// Where Debian keeps the sources of the locale that the test makes.
const SOURCE: &str = "/usr/share/i18n/locales/en_US";

/// Installs the sources. Systems other than Linux skip the test.
pub fn ensure() -> Result<()> {
    if cfg!(not(target_os = "linux")) {
        return Ok(());
    }
    if !Path::new(SOURCE).exists() {
        debian::install(&["locales"], "install the sources of the locale en_US and localedef")?;
    }
    shell::present("locales");
    Ok(())
}

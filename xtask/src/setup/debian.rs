//! Installs Debian's packages.

use std::{process::Command, sync::OnceLock};

use anyhow::{Result, bail};

use crate::shell;

/// Installs packages. On a system without apt, fails with the instructions in `elsewhere`.
pub fn install(packages: &[&str], elsewhere: &str) -> Result<()> {
    if shell::which("apt-get").is_none() {
        bail!("{} missing, and there is no apt-get here: {elsewhere}", packages.join(", "));
    }
    shell::doing(&format!("{} (apt-get, may take a minute)", packages.join(" ")));
    update_once()?;
    shell::run_quietly(apt_get().args(["install", "-y", "--no-install-recommends"]).args(packages))
}

/// Updates the lists of packages, once per run: an install fails with old lists, and an update takes a while.
pub fn update_once() -> Result<()> {
    static UPDATED: OnceLock<()> = OnceLock::new();
    if UPDATED.get().is_none() {
        shell::run_quietly(apt_get().arg("update"))?;
    }
    UPDATED.get_or_init(|| ());
    Ok(())
}

fn apt_get() -> Command {
    let mut command = as_root("env");
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]);
    command
}

/// Builds a command that runs as root. `sudo` fails instead of asking for a password, as nobody may be there to type it.
pub fn as_root(program: &str) -> Command {
    if shell::output_of(Command::new("id").arg("-u")).as_deref() == Some("0") {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.args(["-n", program]);
    command
}

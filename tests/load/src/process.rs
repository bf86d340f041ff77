//! A running program: whether it still runs, and how much memory it holds.

use std::{
    fs::{self, File},
    path::Path,
    process::Stdio,
};

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};

/// A running program. Dropping it kills it.
pub struct Process {
    /// What people call it.
    pub name: String,
    pid: u32,
    child: Child,
}

/// How much memory a process holds, in KiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// Now.
    pub resident_kib: u64,
    /// The most that it ever held.
    pub peak_kib: u64,
}

impl Process {
    /// Starts a program. What it prints goes into a file of its name in the folder.
    pub fn start(name: &str, mut command: Command, folder: &Path) -> Result<Self> {
        let log = File::create(folder.join(format!("{name}.log")))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let pid = child.id().with_context(|| format!("{name} has stopped at once"))?;
        Ok(Self { name: name.to_owned(), pid, child })
    }

    /// Fails if it has stopped by itself.
    pub fn check(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} stopped by itself: {status}", self.name);
        }
        Ok(())
    }

    /// How much memory it holds.
    pub fn memory(&self) -> Result<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))
            .with_context(|| format!("{} does not run any more", self.name))?;
        Memory::read(&status).with_context(|| format!("/proc/{}/status tells no memory", self.pid))
    }
}

impl Memory {
    fn read(status: &str) -> Option<Self> {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            line.trim().strip_suffix(" kB")?.parse().ok()
        };
        Some(Self { resident_kib: field("VmRSS")?, peak_kib: field("VmHWM")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_what_the_kernel_tells() {
        let status = "Name:\trollcall\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\n";
        assert_eq!(Memory::read(status), Some(Memory { resident_kib: 10_240, peak_kib: 20_480 }));
        assert_eq!(Memory::read("Name:\tkthreadd\n"), None);
    }
}

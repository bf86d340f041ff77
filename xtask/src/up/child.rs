//! A program that runs until it is told to stop, and never longer than this one.

use std::{
    process::{self, Command},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::shell;

/// How long a program may take to stop after SIGTERM.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// A running program. Dropping it stops it.
pub struct Child {
    name: &'static str,
    process: process::Child,
}

impl Child {
    /// Starts a program.
    pub fn start(name: &'static str, command: Command) -> Result<Self> {
        let process = shell::in_own_group(command).spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self::adopt(name, process))
    }

    /// Takes over a program that was started with a prepared command.
    pub fn adopt(name: &'static str, process: process::Child) -> Self {
        Self { name, process }
    }

    /// Fails if the program stopped by itself.
    pub fn check(&mut self) -> Result<()> {
        if let Some(status) = self.process.try_wait()? {
            bail!("{} stopped by itself: {status}", self.name);
        }
        Ok(())
    }

    /// Stops the program and its children (`spin up` has a process for each kind of trigger) with SIGTERM, and kills the
    /// program after a timeout.
    pub fn stop(&mut self) {
        let is_running = |child: &mut Self| matches!(child.process.try_wait(), Ok(None));
        if let Some(pid) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw)
            && is_running(self)
        {
            let _ = kill_process_group(pid, Signal::TERM);
        }
        let asked = Instant::now();
        while is_running(self) && asked.elapsed() < STOP_TIMEOUT {
            thread::sleep(Duration::from_millis(20));
        }
        if is_running(self) {
            eprintln!("{} does not stop; killing it", self.name);
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.stop();
    }
}

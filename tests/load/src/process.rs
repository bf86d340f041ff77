//! A running program with the processes that it started: its log, its state, its memory and its CPU time.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    process::{Child, Command},
    time::sleep,
};

use crate::proc_stat::Stat;

/// How long the app may take to start; compiling the components is part of it.
const START_DEADLINE: Duration = Duration::from_secs(120);

/// A running program. Dropping it kills it and the processes that it started.
pub struct Process {
    /// The name in logs and reports.
    pub name: String,
    log: PathBuf,
    /// Also the id of the process group.
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
    /// Starts a program. A file with its name in the folder gets its output.
    pub fn start(name: &str, mut command: Command, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).process_group(0);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let pid = child.id().with_context(|| format!("{name} has stopped at once"))?;
        Ok(Self { name: name.to_owned(), log, pid, child })
    }

    /// Waits until the program has logged an event, and returns a field of it.
    pub async fn wait_for_field(&mut self, event: &str, field: &str) -> Result<String> {
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            let log = fs::read_to_string(&self.log)?;
            if let Some(value) = find_field(&log, event, field) {
                return Ok(value.to_owned());
            }
            self.check().with_context(|| format!("its log is {}", self.log.display()))?;
            if Instant::now() > deadline {
                bail!("{} does not log {event} within {} s:\n{log}", self.name, START_DEADLINE.as_secs());
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The id of the program.
    pub fn id(&self) -> u32 {
        self.pid
    }

    /// Fails if the program stopped by itself.
    pub fn check(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} stopped by itself: {status}", self.name);
        }
        Ok(())
    }

    /// Kills it, as a crash would.
    pub async fn kill(&mut self) -> Result<()> {
        self.kill_group();
        Ok(self.child.kill().await?)
    }

    /// How much memory it holds.
    pub fn memory(&self) -> Result<Memory> {
        let mut sum = Memory::default();
        for pid in self.find_processes()? {
            let status = fs::read_to_string(format!("/proc/{pid}/status"))
                .with_context(|| format!("{} does not run any more", self.name))?;
            let memory =
                Memory::parse(&status).with_context(|| format!("/proc/{pid}/status tells no memory"))?;
            sum.resident_kib += memory.resident_kib;
            sum.peak_kib += memory.peak_kib;
        }
        Ok(sum)
    }

    /// The CPU time that it has used so far, in user mode and in the kernel.
    pub fn cpu(&self) -> Result<Duration> {
        self.find_processes()?.into_iter().map(|pid| Ok(Stat::read(&pid.to_string())?.cpu())).sum()
    }

    /// Finds the processes of the program's group.
    fn find_processes(&self) -> Result<Vec<u32>> {
        let names = fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let pids = names.filter_map(|name| name.parse().ok());
        let is_own = |pid: &u32| Stat::read(&pid.to_string()).is_ok_and(|stat| stat.group == self.pid);
        Ok(pids.filter(is_own).collect())
    }

    fn kill_group(&self) {
        if let Some(group) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The id of a child that was waited for may belong to another process by now.
        if self.child.id().is_some() {
            self.kill_group();
        }
    }
}

/// Finds a field of an event, as the address in `… bridge.started listen=127.0.0.1:8080`. The last line counts only if
/// it is complete.
fn find_field<'a>(log: &'a str, event: &str, field: &str) -> Option<&'a str> {
    let mut lines = log.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let mut words = lines.find(|line| line.contains(event))?.split_whitespace();
    words.find_map(|word| word.strip_prefix(field)?.strip_prefix('='))
}

impl Memory {
    fn parse(status: &str) -> Option<Self> {
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
    fn fields_are_read_from_complete_lines() {
        let log = "INFO serving address=127.0.0.1:1\nINFO bridge.started listen=127.0.0.1:2 node_id=a\n";
        assert_eq!(find_field(log, "bridge.started", "listen"), Some("127.0.0.1:2"));
        assert_eq!(find_field(log, "serving", "address"), Some("127.0.0.1:1"));
        assert_eq!(find_field(log, "serving", "listen"), None);
        assert_eq!(find_field("INFO serving address=127.0.0.1:1", "serving", "address"), None);
    }

    #[test]
    fn memory_is_parsed_from_proc_status() {
        let status = "Name:\trollcall\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\n";
        assert_eq!(Memory::parse(status), Some(Memory { resident_kib: 10_240, peak_kib: 20_480 }));
        assert_eq!(Memory::parse("Name:\tkthreadd\n"), None);
    }

    #[tokio::test]
    async fn a_program_counts_and_ends_with_the_processes_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "(while :; do :; done) & echo started child=$!; wait"]);
        let mut program = Process::start("sh", command, folder.path()).unwrap();
        let child = program.wait_for_field("started", "child").await.unwrap();
        while program.cpu().unwrap().is_zero() {
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(program.find_processes().unwrap().len(), 2);
        drop(program);
        while Stat::read(&child).is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
    }
}

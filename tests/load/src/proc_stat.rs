//! What Linux says of a process in `/proc/<pid>/stat`.

use std::{fs, time::Duration};

use anyhow::{Context, Result};
use rustix::param::clock_ticks_per_second;

/// The CPU time that this process has used so far.
pub fn own_cpu() -> Result<Duration> {
    Ok(Stat::read("self")?.cpu())
}

/// What `/proc/<pid>/stat` says of a process.
#[derive(Debug, PartialEq, Eq)]
pub struct Stat {
    /// The id of the process group.
    pub group: u32,
    ticks: u64,
}

impl Stat {
    /// Reads it of a process, by its id or `self`. Fails for a process that has ended.
    pub fn read(pid: &str) -> Result<Self> {
        let file = format!("/proc/{pid}/stat");
        Self::parse(&fs::read_to_string(&file)?).with_context(|| format!("{file} is not readable"))
    }

    /// The name of the program may contain anything, so the fields count from the parenthesis behind it. Returns nothing
    /// for a process that has ended and was not waited for.
    fn parse(stat: &str) -> Option<Self> {
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        if fields.first() == Some(&"Z") {
            return None;
        }
        let field = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Self { group: u32::try_from(field(2)?).ok()?, ticks: field(11)? + field(12)? })
    }

    /// CPU time in user mode and in the kernel.
    pub fn cpu(&self) -> Duration {
        Duration::from_millis(self.ticks * 1000 / clock_ticks_per_second())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_and_the_cpu_time_are_parsed_from_proc_stat() {
        let stat = "7 (a ) b) S 1 5 5 0 -1 4194560 100 0 0 0 31 11 0 0 20 0 4 0";
        assert_eq!(Stat::parse(stat), Some(Stat { group: 5, ticks: 42 }));
        assert_eq!(Stat::parse("7 (sh) S 1"), None);
        assert_eq!(Stat::parse(&stat.replace('S', "Z")), None);
    }
}

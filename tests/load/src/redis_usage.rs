//! What Redis has done so far, by its own account.

use std::{ops::Sub, time::Duration};

use anyhow::{Context, Result};
use redis::aio::MultiplexedConnection;

/// Commands that run a script.
const SCRIPT_COMMANDS: [&str; 3] = ["evalsha", "eval", "fcall"];

/// What Redis has done since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedisUsage {
    /// CPU time, in user mode and in the kernel.
    pub cpu: Duration,
    /// Commands, also those that scripts run.
    pub commands: u64,
    /// Scripts.
    pub scripts: u64,
}

impl RedisUsage {
    /// Reads it from a server.
    pub async fn read(redis: &mut MultiplexedConnection) -> Result<Self> {
        let sections = ["cpu", "commandstats"];
        let info: String = redis::cmd("INFO").arg(&sections).query_async(redis).await?;
        Self::parse(&info).context("INFO of Redis is not readable")
    }

    fn parse(info: &str) -> Option<Self> {
        let value = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let seconds = |name: &str| value(name)?.parse::<f64>().ok();
        let cpu = seconds("used_cpu_user")? + seconds("used_cpu_sys")?;
        let mut usage = Self { cpu: Duration::try_from_secs_f64(cpu).ok()?, commands: 0, scripts: 0 };
        for line in info.lines().filter_map(|line| line.strip_prefix("cmdstat_")) {
            let (command, stats) = line.split_once(":calls=")?;
            let calls: u64 = stats.split(',').next()?.parse().ok()?;
            usage.commands += calls;
            if SCRIPT_COMMANDS.contains(&command) {
                usage.scripts += calls;
            }
        }
        Some(usage)
    }
}

impl Sub for RedisUsage {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            commands: self.commands - earlier.commands,
            scripts: self.scripts - earlier.scripts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_commands_and_scripts_are_parsed() {
        let info = "# CPU\r\nused_cpu_sys:0.250000\r\nused_cpu_user:1.500000\r\nused_cpu_sys_children:9.0\r\n\r\n\
            # Commandstats\r\ncmdstat_evalsha:calls=12,usec=3\r\ncmdstat_config|get:calls=1,usec=1\r\n\
            cmdstat_get:calls=9,usec=1\r\n";
        let usage = RedisUsage { cpu: Duration::from_millis(1750), commands: 22, scripts: 12 };
        assert_eq!(RedisUsage::parse(info), Some(usage));
        assert_eq!(RedisUsage::parse("used_cpu_sys:0.25"), None);
    }

    #[test]
    fn the_difference_is_what_happened_between() {
        let at = |ms, commands, scripts| RedisUsage { cpu: Duration::from_millis(ms), commands, scripts };
        assert_eq!(at(30, 20, 5) - at(10, 15, 3), at(20, 5, 2));
    }
}

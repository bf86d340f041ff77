//! The scripts that took longest, by Redis's slow log.

use std::collections::BTreeMap;

use anyhow::Result;
use rollcall_rooms::script;

use super::nodes::Node;

/// An entry of the log: id, time, microseconds, the command with its arguments, and who called.
type LogEntry = (u64, u64, u64, Vec<Vec<u8>>, Vec<u8>, Vec<u8>);

/// Slow runs of one script.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct SlowRuns {
    /// How many.
    pub count: u64,
    /// The slowest, in microseconds.
    pub max_us: u64,
}

/// Slow runs by the names of scripts.
#[derive(Debug, Default)]
pub struct SlowScripts(BTreeMap<&'static str, SlowRuns>);

impl SlowScripts {
    /// Moves the entries of all logs here.
    pub async fn collect(&mut self, nodes: &[Node]) -> Result<()> {
        for node in nodes {
            let mut redis = node.connection.clone();
            let log: Vec<LogEntry> = redis::cmd("SLOWLOG").arg("GET").arg(-1).query_async(&mut redis).await?;
            let () = redis::cmd("SLOWLOG").arg("RESET").query_async(&mut redis).await?;
            self.add(&log);
        }
        Ok(())
    }

    /// Commands other than scripts that Redis knows already do not count.
    fn add(&mut self, log: &[LogEntry]) {
        for (_, _, us, arguments, ..) in log {
            let [command, sha1, ..] = arguments.as_slice() else { continue };
            let found = script::ALL.iter().find(|script| script.sha1().as_bytes() == sha1);
            if let Some(script) = found.filter(|_| command.eq_ignore_ascii_case(b"EVALSHA")) {
                let runs = self.0.entry(script.name()).or_default();
                runs.count += 1;
                runs.max_us = runs.max_us.max(*us);
            }
        }
    }

    /// The scripts, the slowest first.
    pub fn ranked(&self) -> Vec<(&'static str, SlowRuns)> {
        let mut ranked: Vec<_> = self.0.iter().map(|(name, runs)| (*name, *runs)).collect();
        ranked.sort_by_key(|(_, runs)| std::cmp::Reverse(runs.max_us));
        ranked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_runs_are_ranked_by_script() {
        let entry = |us, command: &str, script: &str| -> LogEntry {
            (1, 2, us, vec![command.into(), script.into()], vec![], vec![])
        };
        let mut scripts = SlowScripts::default();
        let (join, sweep) = (script::JOIN.sha1(), script::SWEEP.sha1());
        scripts.add(&[
            entry(5, "EVALSHA", join),
            entry(7, "EVALSHA", sweep),
            entry(3, "EVALSHA", sweep),
            entry(90, "EVAL", "return 1"),
            entry(90, "INFO", "cpu"),
        ]);
        let runs = |count, max_us| SlowRuns { count, max_us };
        assert_eq!(scripts.ranked(), [("sweep", runs(2, 7)), ("join", runs(1, 5))]);
    }
}

//! What the nodes use, second by second, and when most.

use std::{ops::Sub, time::Duration};

use anyhow::{Context, Result};
use redis::aio::MultiplexedConnection;

use super::calendar::Second;

/// What a node has used since its start, by its own account.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NodeUsage {
    /// CPU time in user mode and in the kernel, in seconds.
    pub cpu_seconds: f64,
    /// The bytes that it has sent to subscribers and callers.
    pub sent_bytes: u64,
    /// The memory that it has allocated now.
    pub memory_bytes: u64,
}

impl NodeUsage {
    /// Reads it from a server.
    pub async fn read(redis: &mut MultiplexedConnection) -> Result<Self> {
        let sections = ["cpu", "memory", "stats"];
        let info: String = redis::cmd("INFO").arg(&sections).query_async(redis).await?;
        Self::parse(&info).context("INFO of Redis is not readable")
    }

    fn parse(info: &str) -> Option<Self> {
        let value = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Some(Self {
            cpu_seconds: value("used_cpu_user")?.parse::<f64>().ok()?
                + value("used_cpu_sys")?.parse::<f64>().ok()?,
            sent_bytes: value("total_net_output_bytes")?.parse().ok()?,
            memory_bytes: value("used_memory")?.parse().ok()?,
        })
    }
}

/// What one node used in one second of the simulation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Used {
    /// CPU time in seconds.
    pub cpu_seconds: f64,
    /// Bytes to subscribers and callers.
    pub sent_bytes: u64,
}

impl Sub for NodeUsage {
    type Output = Used;

    fn sub(self, earlier: Self) -> Used {
        Used {
            cpu_seconds: self.cpu_seconds - earlier.cpu_seconds,
            sent_bytes: self.sent_bytes - earlier.sent_bytes,
        }
    }
}

/// One second of the simulation.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Which second.
    pub at: Second,
    /// Joins, leaves and lost connections.
    pub events: u64,
    /// By node.
    pub used: Vec<Used>,
    /// How long this machine worked for it.
    pub took: Duration,
}

/// The busiest time of something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// When it begins.
    pub at: Second,
    /// The mean per second.
    pub per_second: f64,
}

/// All seconds in which something happened.
#[derive(Debug, Default)]
pub struct Series(Vec<Sample>);

impl Series {
    /// Adds a second.
    pub fn push(&mut self, sample: Sample) {
        self.0.push(sample);
    }

    /// The busiest time of this width. Times begin at multiples of the width.
    pub fn peak(&self, width: Second, value: impl Fn(&Sample) -> f64) -> Peak {
        let mut peak = Peak { at: 0, per_second: 0.0 };
        for samples in self.0.chunk_by(|one, next| one.at / width == next.at / width) {
            let per_second = samples.iter().map(&value).sum::<f64>() / f64::from(width);
            if per_second > peak.per_second {
                peak = Peak { at: samples[0].at / width * width, per_second };
            }
        }
        peak
    }

    /// The mean per second of a time of this width.
    pub fn mean_at(&self, at: Second, width: Second, value: impl Fn(&Sample) -> f64) -> f64 {
        let samples = self.0.iter().filter(|sample| (at..at + width).contains(&sample.at));
        samples.map(value).sum::<f64>() / f64::from(width)
    }

    /// The busiest time of that node for which it is the busiest.
    pub fn peak_of_a_node(&self, width: Second, value: impl Fn(&Used) -> f64) -> Peak {
        let nodes = self.0.first().map_or(0, |sample| sample.used.len());
        let peaks = (0..nodes).map(|node| self.peak(width, |sample| value(&sample.used[node])));
        peaks
            .max_by(|one, other| one.per_second.total_cmp(&other.per_second))
            .unwrap_or(Peak { at: 0, per_second: 0.0 })
    }

    /// The CPU time of all nodes before a second.
    pub fn cpu_seconds_before(&self, end: Second) -> f64 {
        self.0.iter().take_while(|sample| sample.at < end).map(Sample::cpu_seconds).sum()
    }

    /// For how many seconds this machine worked longer than a second.
    pub fn count_overloaded(&self) -> usize {
        self.0.iter().filter(|sample| sample.took > Duration::from_secs(1)).count()
    }
}

impl Sample {
    /// The CPU time of all nodes.
    pub fn cpu_seconds(&self) -> f64 {
        self.used.iter().map(|used| used.cpu_seconds).sum()
    }

    /// The bytes that all nodes sent.
    #[expect(clippy::cast_precision_loss, reason = "bytes of one second are far below 2^52")]
    pub fn sent_bytes(&self) -> f64 {
        self.used.iter().map(|used| used.sent_bytes).sum::<u64>() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at: Second, cpu: [f64; 2]) -> Sample {
        let used = cpu.map(|cpu_seconds| Used { cpu_seconds, sent_bytes: 100 }).to_vec();
        Sample { at, events: u64::from(at), used, took: Duration::from_millis(u64::from(at) * 100) }
    }

    fn series() -> Series {
        Series(vec![
            sample(1, [0.5, 0.25]),
            sample(9, [0.5, 0.25]),
            sample(10, [0.0, 2.0]),
            sample(25, [0.75, 0.0]),
        ])
    }

    #[test]
    fn usage_is_parsed_and_subtracted() {
        let info = "# CPU\r\nused_cpu_sys:0.250000\r\nused_cpu_user:1.500000\r\nused_cpu_sys_children:9.0\r\n\
            used_memory:1000\r\nused_memory_rss:3000\r\ntotal_net_output_bytes:70\r\n";
        let usage = NodeUsage { cpu_seconds: 1.75, sent_bytes: 70, memory_bytes: 1000 };
        assert_eq!(NodeUsage::parse(info), Some(usage));
        assert_eq!(NodeUsage::parse("used_memory:1"), None);
        let earlier = NodeUsage { cpu_seconds: 1.0, sent_bytes: 20, memory_bytes: 2000 };
        assert_eq!(usage - earlier, Used { cpu_seconds: 0.75, sent_bytes: 50 });
    }

    #[test]
    fn the_busiest_time_is_found_with_its_mean_per_second() {
        assert_eq!(series().peak(10, Sample::cpu_seconds), Peak { at: 10, per_second: 0.2 });
        assert_eq!(series().peak(1, Sample::cpu_seconds), Peak { at: 10, per_second: 2.0 });
        assert_eq!(series().peak(30, Sample::sent_bytes).per_second, 800.0 / 30.0);
        assert_eq!(Series::default().peak(1, Sample::cpu_seconds).per_second, 0.0);
        assert_eq!(series().mean_at(10, 10, Sample::cpu_seconds), 0.2);
        assert_eq!(series().mean_at(30, 10, Sample::cpu_seconds), 0.0);
    }

    #[test]
    fn the_busiest_node_is_found() {
        assert_eq!(series().peak_of_a_node(1, |used| used.cpu_seconds), Peak { at: 10, per_second: 2.0 });
        assert_eq!(series().peak_of_a_node(30, |used| used.cpu_seconds).per_second, 2.5 / 30.0);
    }

    #[test]
    fn the_beginning_and_overloaded_seconds_are_counted() {
        assert_eq!(series().cpu_seconds_before(10), 1.5);
        assert_eq!(series().count_overloaded(), 1);
    }
}

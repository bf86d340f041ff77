//! The distribution of latencies.

use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;

/// Longer latencies count as this one, in microseconds.
const MAX_US: u64 = 120_000_000;

/// The distribution of latencies, with three significant digits.
#[derive(Debug, Clone)]
pub struct Latencies(Histogram<u64>);

impl Latencies {
    /// Creates an empty distribution.
    pub fn new() -> Result<Self> {
        Ok(Self(Histogram::new_with_max(MAX_US, 3)?))
    }

    /// Records a latency.
    pub fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(MAX_US));
    }

    /// How many latencies are recorded.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Adds the latencies of another distribution.
    pub fn add(&mut self, other: &Self) -> Result<()> {
        Ok(self.0.add(&other.0)?)
    }

    /// Discards all latencies.
    pub fn reset(&mut self) {
        self.0.reset();
    }

    /// A quantile, in milliseconds.
    pub fn quantile_ms(&self, quantile: f64) -> f64 {
        Duration::from_micros(self.0.value_at_quantile(quantile)).as_secs_f64() * 1000.0
    }
}

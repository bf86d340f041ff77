//! Samples of a process's memory, and whether it is flat.

/// How far the last quarter may exceed the quarter before, as a fraction.
const TOLERANCE: f64 = 0.05;

/// The noise of small processes, in KiB.
const NOISE_KIB: f64 = 4096.0;

/// The rule, for the report.
pub const RULE: &str =
    "flat means: the mean of the last quarter is at most 5 % and 4 MiB above that of the quarter before";

/// Samples at equal intervals, in KiB.
#[derive(Debug, Default, Clone)]
pub struct Samples(Vec<u64>);

impl Samples {
    /// Adds a sample.
    pub fn push(&mut self, kib: u64) {
        self.0.push(kib);
    }

    /// The means of the third and of the last quarter, in KiB.
    pub fn last_quarters(&self) -> (f64, f64) {
        let quarter = self.0.len() / 4;
        let from_end = |quarters: usize| &self.0[self.0.len() - quarters * quarter..][..quarter];
        (mean(from_end(2)), mean(from_end(1)))
    }

    /// Whether memory stopped growing. Fewer than four samples prove nothing.
    pub fn are_flat(&self) -> bool {
        let (third, last) = self.last_quarters();
        self.0.len() >= 4 && last <= third * (1.0 + TOLERANCE) + NOISE_KIB
    }
}

#[expect(clippy::cast_precision_loss, reason = "KiB of a process are far below 2^52")]
fn mean(samples: &[u64]) -> f64 {
    samples.iter().sum::<u64>() as f64 / samples.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(of: impl Fn(u64) -> u64) -> Samples {
        Samples((0..100).map(of).collect())
    }

    #[test]
    fn a_leak_is_not_flat_and_a_plateau_is() {
        assert!(!samples(|second| 100_000 + second * 1_000).are_flat());
        assert!(samples(|second| 100_000 + second.min(50) * 1_000).are_flat());
        assert!(samples(|second| 100_000 + second % 2 * 3_000).are_flat());
        assert!(!Samples::default().are_flat(), "no samples prove nothing");
    }
}

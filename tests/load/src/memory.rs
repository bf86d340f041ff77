//! How much memory a process held over time, and whether that is flat.

/// By how much the last quarter may be above the one before, in parts of it.
const TOLERANCE: f64 = 0.05;

/// What is noise in small processes, in KiB.
const NOISE_KIB: f64 = 4096.0;

/// The rule, as people read it.
pub const RULE: &str =
    "flat means: the mean of the last quarter is at most 5 % and 4 MiB above that of the quarter before";

/// Samples at even distances, in KiB.
#[derive(Debug, Default, Clone)]
pub struct Samples(Vec<u64>);

impl Samples {
    /// Adds one.
    pub fn push(&mut self, kib: u64) {
        self.0.push(kib);
    }

    /// The means of the third and of the last quarter, in KiB.
    pub fn late_quarters(&self) -> (f64, f64) {
        let quarter = self.0.len() / 4;
        let from = |quarters: usize| &self.0[self.0.len() - quarters * quarter..][..quarter];
        (mean(from(2)), mean(from(1)))
    }

    /// Whether memory has stopped growing. Too few samples show nothing.
    pub fn are_flat(&self) -> bool {
        let (third, last) = self.late_quarters();
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
        assert!(!Samples::default().are_flat(), "nothing is shown by nothing");
    }
}

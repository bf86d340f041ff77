//! How long the next deadline is overdue. Each scrape computes it, because nothing is recorded while nobody sweeps.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::gauge::ConstGauge,
    registry::Unit,
};

/// The next deadline that this bridge knows of.
#[derive(Debug, Clone, Default)]
pub(super) struct NextDeadline(Arc<Mutex<Option<Instant>>>);

impl NextDeadline {
    /// Sets when the deadline passes, or has passed.
    pub(super) fn set(&self, passes_at: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = passes_at;
    }

    fn overdue_s(&self) -> f64 {
        let passes_at = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        passes_at.map_or(0.0, |at| at.elapsed().as_secs_f64())
    }
}

impl Collector for NextDeadline {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let gauge = ConstGauge::new(self.overdue_s());
        let help = "Time since the next deadline that this bridge knows of has passed without being settled; 0 if none is \
                    overdue.";
        gauge.encode(encoder.encode_descriptor(
            "deadline_overdue",
            help,
            Some(&Unit::Seconds),
            gauge.metric_type(),
        )?)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_a_deadline_that_has_passed_is_overdue() {
        let next = NextDeadline::default();
        assert_eq!(next.overdue_s(), 0.0);
        let now = Instant::now();
        next.set(Some(now + Duration::from_secs(3600)));
        assert_eq!(next.overdue_s(), 0.0);
        next.set(now.checked_sub(Duration::from_secs(5)));
        assert!((5.0..60.0).contains(&next.overdue_s()));
        next.set(None);
        assert_eq!(next.overdue_s(), 0.0);
    }
}

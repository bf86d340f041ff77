//! The pauses between attempts. They grow, and jitter keeps bridges from retrying in step.

use std::time::Duration;

use backon::ExponentialBuilder;

/// Up to three attempts: for an event for which a client waits.
pub(super) fn briefly() -> ExponentialBuilder {
    ExponentialBuilder::default().with_min_delay(Duration::from_millis(50)).with_max_times(2).with_jitter()
}

/// Attempts for about two minutes: for an event for which no client waits.
pub(super) fn patiently() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(10))
        .without_max_times()
        .with_total_delay(Some(Duration::from_secs(120)))
        .with_jitter()
}

/// Attempts without an end.
pub(super) fn always() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(2))
        .without_max_times()
        .with_jitter()
}

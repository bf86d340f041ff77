//! The pauses between attempts. They grow, and jitter keeps bridges from retrying in step. The events of one bridge pause
//! for the same times, so that those whose call was lost share the next call, too.

use std::{sync::LazyLock, time::Duration};

use backon::ExponentialBuilder;

static JITTER_OF_BRIDGE: LazyLock<u64> = LazyLock::new(|| fastrand::u64(..));

fn with_jitter() -> ExponentialBuilder {
    ExponentialBuilder::default().with_jitter().with_jitter_seed(*JITTER_OF_BRIDGE)
}

/// Up to three attempts: for an event for which a client waits.
pub(super) fn briefly() -> ExponentialBuilder {
    with_jitter().with_min_delay(Duration::from_millis(50)).with_max_times(2)
}

/// Attempts for about two minutes: for an event for which no client waits.
pub(super) fn patiently() -> ExponentialBuilder {
    with_jitter()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(10))
        .without_max_times()
        .with_total_delay(Some(Duration::from_secs(120)))
}

/// Attempts without an end.
pub(super) fn always() -> ExponentialBuilder {
    with_jitter()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(2))
        .without_max_times()
}

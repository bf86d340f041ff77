//! Retries with growing pauses, and with jitter so that bridges do not retry in step.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};

/// Makes up to three attempts: for an event for which a client waits.
pub(super) async fn briefly<T, E, Fut>(
    attempt: impl FnMut() -> Fut,
    may_retry: impl Fn(&E) -> bool,
) -> Result<T, E>
where
    Fut: Future<Output = Result<T, E>>,
{
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_times(2)
        .with_jitter();
    attempt.retry(pauses).when(may_retry).await
}

/// Makes attempts for about two minutes: for an event for which no client waits.
pub(super) async fn patiently<T, E, Fut>(
    attempt: impl FnMut() -> Fut,
    may_retry: impl Fn(&E) -> bool,
) -> Result<T, E>
where
    Fut: Future<Output = Result<T, E>>,
{
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(10))
        .without_max_times()
        .with_total_delay(Some(Duration::from_secs(120)))
        .with_jitter();
    attempt.retry(pauses).when(may_retry).await
}

/// Makes attempts until one succeeds or the answer is final.
pub(super) async fn always<T, E, Fut>(
    attempt: impl FnMut() -> Fut,
    may_retry: impl Fn(&E) -> bool,
) -> Result<T, E>
where
    Fut: Future<Output = Result<T, E>>,
{
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(2))
        .without_max_times()
        .with_jitter();
    attempt.retry(pauses).when(may_retry).await
}

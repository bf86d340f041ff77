//! Pings a client and notices when it does not answer.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

/// How often a client is pinged, and how long it may take to answer.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Time between an answer and the next ping.
    pub interval: Duration,
    /// How long the client may take to answer a ping.
    pub timeout: Duration,
}

/// The heartbeat of one client.
#[derive(Debug, Default)]
pub struct Heartbeat {
    is_awaited: AtomicBool,
    answered: Notify,
}

impl Heartbeat {
    /// Pings until the client does not answer in time.
    pub async fn run(&self, timing: Timing, ping: impl Fn()) {
        loop {
            sleep(timing.interval).await;
            self.is_awaited.store(true, Ordering::Release);
            ping();
            if timeout(timing.timeout, self.answered.notified()).await.is_err() {
                return;
            }
        }
    }

    /// Records that the client has answered. Returns whether an answer was due: an answer without a ping does not count
    /// towards the next one.
    pub fn answer(&self) -> bool {
        let was_due = self.is_awaited.swap(false, Ordering::AcqRel);
        if was_due {
            self.answered.notify_one();
        }
        was_due
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tokio::time::Instant;

    use super::*;

    const TIMING: Timing = Timing { interval: Duration::from_secs(25), timeout: Duration::from_secs(20) };

    #[tokio::test(start_paused = true)]
    async fn a_client_that_never_answers_is_noticed_after_interval_and_timeout() {
        let (heartbeat, began) = (Heartbeat::default(), Instant::now());
        heartbeat.answer();
        heartbeat.run(TIMING, || {}).await;
        assert_eq!(began.elapsed(), TIMING.interval + TIMING.timeout, "an early answer changes nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_answers_is_pinged_again() {
        let (heartbeat, pings) = (Heartbeat::default(), AtomicUsize::new(0));
        let began = Instant::now();
        heartbeat
            .run(TIMING, || {
                if pings.fetch_add(1, Ordering::Relaxed) < 3 {
                    heartbeat.answer();
                }
            })
            .await;
        assert_eq!(pings.into_inner(), 4);
        assert_eq!(began.elapsed(), 4 * TIMING.interval + TIMING.timeout);
    }
}

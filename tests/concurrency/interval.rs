//! Limits how often all threads together do something.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

pub struct Interval {
    began: Instant,
    at_ms: AtomicU64,
}

impl Interval {
    pub fn new() -> Self {
        Self { began: Instant::now(), at_ms: AtomicU64::new(0) }
    }

    /// Returns whether the interval is over, and then starts one of the given length. It may be over for two threads at
    /// once.
    pub fn restart_if_over(&self, next_ms: u64) -> bool {
        let now = self.began.elapsed().as_millis() as u64;
        let is_over = self.at_ms.load(Ordering::Relaxed) <= now;
        if is_over {
            self.at_ms.store(now + next_ms, Ordering::Relaxed);
        }
        is_over
    }
}

//! What is to happen from time to time, however fast the threads are.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

pub struct Due {
    began: Instant,
    at_ms: AtomicU64,
}

impl Due {
    pub fn new() -> Self {
        Self { began: Instant::now(), at_ms: AtomicU64::new(0) }
    }

    /// Whether it is due, and if so, in how many milliseconds it is so again. Two threads may both find it due: then
    /// they do it at once, as must be possible.
    pub fn take(&self, again_in_ms: u64) -> bool {
        let now = self.began.elapsed().as_millis() as u64;
        let is_due = self.at_ms.load(Ordering::Relaxed) <= now;
        if is_due {
            self.at_ms.store(now + again_in_ms, Ordering::Relaxed);
        }
        is_due
    }
}

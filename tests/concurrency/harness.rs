//! State that all threads share.

use std::{
    ops::Range,
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    ids::{ABSENCE, MORE_SHARDS, ROOMS, ROUND, THREADS},
    interval::Interval,
    nodes::Nodes,
    pool::Pool,
    store::Store,
};

pub struct Harness {
    /// Host and port.
    pub redis: String,
    /// Whether calls may get no reply.
    pub servers_fail: bool,
    pub is_cluster: bool,
    /// Whether the number of shards grows.
    pub grows: bool,
    length: Duration,
    pub began: Instant,
    pub rounds: u32,
    pub barrier: Barrier,
    pub nodes: Nodes,
    pub rooms: [SharedRoom; ROOMS.len()],
    entries: AtomicU64,
    round_ends_ms: AtomicU64,
}

/// A room's state outside of Redis.
pub struct SharedRoom {
    pub store: Store,
    pub pool: Pool,
    pub next_change: Interval,
}

impl Harness {
    pub fn new(redis: String, servers_fail: bool, length: Duration) -> Self {
        Self {
            redis,
            servers_fail,
            is_cluster: false,
            grows: false,
            length,
            began: Instant::now(),
            rounds: length.div_duration_f64(ROUND).ceil() as u32,
            barrier: Barrier::new(THREADS),
            nodes: Nodes::new(),
            rooms: std::array::from_fn(|_| SharedRoom {
                store: Store::default(),
                pool: Pool::default(),
                next_change: Interval::new(),
            }),
            entries: AtomicU64::new(0),
            round_ends_ms: AtomicU64::new(0),
        }
    }

    /// Returns an entry id that no other call returns.
    pub fn next_entry(&self, user: &str) -> String {
        format!("{user}/{}", self.entries.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether a user stays away from a room for now, long enough for a grace period to end: otherwise some thread
    /// would always join again in time.
    pub fn is_away(&self, room: usize, user: usize) -> bool {
        let window = self.began.elapsed().div_duration_f64(ABSENCE) as usize;
        (window + 3 * user + room).is_multiple_of(4)
    }

    pub fn shards(&self) -> Range<u64> {
        0..if self.grows { MORE_SHARDS } else { 1 }
    }

    /// Whether an instance of the app that is called now knows that there are more shards: at first none, at last all.
    pub fn knows_of_growth(&self) -> bool {
        let progress = self.began.elapsed().div_duration_f64(self.length);
        self.grows && progress > 0.3 + 0.3 * fastrand::f64()
    }

    pub fn begin_round(&self) {
        let end = self.began.elapsed() + ROUND;
        self.round_ends_ms.store(end.as_millis() as u64, Ordering::Relaxed);
    }

    pub fn is_round_over(&self) -> bool {
        self.began.elapsed().as_millis() as u64 >= self.round_ends_ms.load(Ordering::Relaxed)
    }
}

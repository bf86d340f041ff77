//! Bridge nodes. Some send no heartbeat for longer than a lease, and lose their lease.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use crate::{ids::NODES, interval::Interval};

const SILENCE_EVERY_MS: u64 = 800;
/// Longer than a lease and a grace period.
const SILENCE: Duration = Duration::from_millis(500);

pub struct Nodes {
    began: Instant,
    nodes: [Node; NODES.len()],
    next_silence: Interval,
}

#[derive(Default)]
struct Node {
    silent_until_ms: AtomicU64,
    leased_since: AtomicU64,
}

impl Nodes {
    pub fn new() -> Self {
        Self { began: Instant::now(), nodes: Default::default(), next_silence: Interval::new() }
    }

    /// Picks a node that sends no heartbeats from now on, once per interval.
    pub fn pick_silent(&self, random: &mut fastrand::Rng) -> Option<&'static str> {
        let node = random.usize(..NODES.len());
        self.next_silence.restart_if_over(SILENCE_EVERY_MS).then(|| {
            let until = self.began.elapsed() + SILENCE;
            self.nodes[node].silent_until_ms.store(until.as_millis() as u64, Ordering::Relaxed);
            NODES[node]
        })
    }

    /// Picks a node that is not silent, if possible.
    pub fn pick_awake(&self, random: &mut fastrand::Rng) -> usize {
        let node = random.usize(..NODES.len());
        (node..node + NODES.len())
            .map(|node| node % NODES.len())
            .find(|&node| !self.is_silent(node))
            .unwrap_or(node)
    }

    fn is_silent(&self, node: usize) -> bool {
        let now = self.began.elapsed().as_millis() as u64;
        now < self.nodes[node].silent_until_ms.load(Ordering::Relaxed)
    }

    /// Stores the start of a node's lease. Returns whether the node had another lease before.
    pub fn set_leased_since(&self, node: usize, since: u64) -> bool {
        let before = self.nodes[node].leased_since.swap(since, Ordering::Relaxed);
        before != 0 && before != since
    }
}

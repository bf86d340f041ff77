//! The bridge nodes: some fall silent for longer than a lease, and find on their return that it was broken.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use crate::{due::Due, ids::NODES};

const SILENCE_EVERY_MS: u64 = 800;
/// Well beyond a lease and a grace period.
const SILENCE: Duration = Duration::from_millis(500);

pub struct Nodes {
    began: Instant,
    nodes: [Node; NODES.len()],
    next_silence: Due,
}

#[derive(Default)]
struct Node {
    silent_until_ms: AtomicU64,
    leased_since: AtomicU64,
}

impl Nodes {
    pub fn new() -> Self {
        Self { began: Instant::now(), nodes: Default::default(), next_silence: Due::new() }
    }

    /// Now and then, the node that falls silent from now on.
    pub fn fall_silent(&self, random: &mut fastrand::Rng) -> Option<&'static str> {
        let node = random.usize(..NODES.len());
        self.next_silence.take(SILENCE_EVERY_MS).then(|| {
            let until = self.began.elapsed() + SILENCE;
            self.nodes[node].silent_until_ms.store(until.as_millis() as u64, Ordering::Relaxed);
            NODES[node]
        })
    }

    /// One that is not silent, if possible.
    pub fn awake(&self, random: &mut fastrand::Rng) -> usize {
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

    /// Notes since when a node has its lease. Returns whether it had another before.
    pub fn leased_since(&self, node: usize, since: u64) -> bool {
        let before = self.nodes[node].leased_since.swap(since, Ordering::Relaxed);
        before != 0 && before != since
    }
}

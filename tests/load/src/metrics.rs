//! What the clients of a run measured.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Result;

use crate::{latencies::Latencies, observer::Violation};

/// How many violations are kept as text.
const MAX_DESCRIPTIONS: usize = 10;

/// A number that only rises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The number of open sockets at one bridge.
#[derive(Debug, Default)]
pub struct SocketGauge {
    current: AtomicUsize,
    max: AtomicUsize,
}

impl SocketGauge {
    /// Adds one socket.
    pub fn add(&self) {
        let current = self.current.fetch_add(1, Ordering::Relaxed) + 1;
        self.max.fetch_max(current, Ordering::Relaxed);
    }

    /// Removes one socket.
    pub fn remove(&self) {
        self.current.fetch_sub(1, Ordering::Relaxed);
    }

    /// The current number.
    pub fn current(&self) -> usize {
        self.current.load(Ordering::Relaxed)
    }

    /// The highest number so far.
    pub fn max(&self) -> usize {
        self.max.load(Ordering::Relaxed)
    }
}

/// What the clients of a run measured.
pub struct Metrics {
    /// The open sockets, by bridge.
    pub sockets: Vec<SocketGauge>,
    /// Opened sockets.
    pub opened: Counter,
    /// Successful joins.
    pub joins: Counter,
    /// Successful joins that recovered a membership.
    pub recovered: Counter,
    /// Acknowledged leaves.
    pub leaves: Counter,
    /// Received events.
    pub events: Counter,
    /// Sockets that ended while their user was in a room.
    pub disconnects: Counter,
    /// Sessions that an operator ended.
    pub rooms_ended: Counter,
    /// Violations of the numbering.
    pub sequence_violations: Counter,
    /// Contradictions between members' lists, counts and changes.
    pub member_violations: Counter,
    /// Messages that break the protocol.
    pub protocol_violations: Counter,
    codes: Mutex<BTreeMap<String, u64>>,
    descriptions: Mutex<Vec<String>>,
    join_latencies: Mutex<Latencies>,
}

impl Metrics {
    /// Creates metrics for this many bridges.
    pub fn new(bridges: usize) -> Result<Self> {
        Ok(Self {
            sockets: (0..bridges).map(|_| SocketGauge::default()).collect(),
            opened: Counter::default(),
            joins: Counter::default(),
            recovered: Counter::default(),
            leaves: Counter::default(),
            events: Counter::default(),
            disconnects: Counter::default(),
            rooms_ended: Counter::default(),
            sequence_violations: Counter::default(),
            member_violations: Counter::default(),
            protocol_violations: Counter::default(),
            codes: Mutex::default(),
            descriptions: Mutex::default(),
            join_latencies: Mutex::new(Latencies::new()?),
        })
    }

    /// Counts a refusal or the end of a connection by its code.
    pub fn count_code(&self, code: &str) {
        *lock(&self.codes).entry(code.to_owned()).or_default() += 1;
    }

    /// The counts of refusals and ends, by code.
    pub fn codes(&self) -> BTreeMap<String, u64> {
        lock(&self.codes).clone()
    }

    /// Counts a violation, and keeps the first few as text.
    pub fn record_violation(&self, violation: Violation) {
        let (counter, description) = match violation {
            Violation::Sequence(text) => (&self.sequence_violations, text),
            Violation::Members(text) => (&self.member_violations, text),
            Violation::Protocol(text) => (&self.protocol_violations, text),
        };
        counter.add();
        let mut descriptions = lock(&self.descriptions);
        if descriptions.len() < MAX_DESCRIPTIONS {
            descriptions.push(description);
        }
    }

    /// The number of violations of all kinds.
    pub fn violations(&self) -> u64 {
        let counters = [&self.sequence_violations, &self.member_violations, &self.protocol_violations];
        counters.map(Counter::get).iter().sum()
    }

    /// The first violations, as text.
    pub fn violation_descriptions(&self) -> Vec<String> {
        lock(&self.descriptions).clone()
    }

    /// Records how long a join took.
    pub fn record_join_latency(&self, duration: Duration) {
        lock(&self.join_latencies).record(duration);
    }

    /// Discards the latencies of joins so far.
    pub fn reset_join_latency(&self) {
        lock(&self.join_latencies).reset();
    }

    /// A quantile of the latency of joins, in milliseconds.
    pub fn join_latency_ms(&self, quantile: f64) -> f64 {
        lock(&self.join_latencies).quantile_ms(quantile)
    }

    /// The number of open sockets at all bridges.
    pub fn open_sockets(&self) -> usize {
        self.sockets.iter().map(SocketGauge::current).sum()
    }

    /// The calls of the app that clients caused: a `connect` for each socket, a `join`, and a `leave` or a `disconnect`.
    pub fn app_calls(&self) -> u64 {
        [&self.opened, &self.joins, &self.leaves, &self.disconnects].map(Counter::get).iter().sum()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics while it holds a lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

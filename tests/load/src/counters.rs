//! Counters of what happened so far.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use hdrhistogram::Histogram;

use crate::event_checker::Fault;

/// The longest time that is told apart, in microseconds.
const LONGEST_US: u64 = 120_000_000;

/// How many faults are kept in words.
const FAULTS_TOLD: usize = 10;

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

/// The sockets that are held at one bridge.
#[derive(Debug, Default)]
pub struct Sockets {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Sockets {
    /// Takes note of one more.
    pub fn add(&self) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
    }

    /// Takes note of one less.
    pub fn remove(&self) {
        self.now.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many there are.
    pub fn now(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    /// The most that there ever were.
    pub fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }
}

/// What happened so far.
pub struct Counters {
    /// By bridge.
    pub sockets: Vec<Sockets>,
    /// Sockets that were opened.
    pub opened: Counter,
    /// Joins that let the user in.
    pub joins: Counter,
    /// Of these, those that went on with a membership.
    pub recovered: Counter,
    /// Leaves that were answered.
    pub leaves: Counter,
    /// Events received.
    pub events: Counter,
    /// Sockets that ended without a leave.
    pub losses: Counter,
    /// Rooms that were ended.
    pub rooms_ended: Counter,
    /// What breaks the numbering.
    pub numbering_faults: Counter,
    /// What members' lists and counts contradict.
    pub member_faults: Counter,
    /// What no bridge should say.
    pub speech_faults: Counter,
    codes: Mutex<BTreeMap<String, u64>>,
    faults: Mutex<Vec<String>>,
    join_us: Mutex<Histogram<u64>>,
}

impl Counters {
    /// For so many bridges.
    pub fn new(bridges: usize) -> Result<Self> {
        Ok(Self {
            sockets: (0..bridges).map(|_| Sockets::default()).collect(),
            opened: Counter::default(),
            joins: Counter::default(),
            recovered: Counter::default(),
            leaves: Counter::default(),
            events: Counter::default(),
            losses: Counter::default(),
            rooms_ended: Counter::default(),
            numbering_faults: Counter::default(),
            member_faults: Counter::default(),
            speech_faults: Counter::default(),
            codes: Mutex::default(),
            faults: Mutex::default(),
            join_us: Mutex::new(Histogram::new_with_max(LONGEST_US, 3)?),
        })
    }

    /// Counts a refusal or another end, by its code.
    pub fn code(&self, code: &str) {
        *lock(&self.codes).entry(code.to_owned()).or_default() += 1;
    }

    /// How often which code came.
    pub fn codes(&self) -> BTreeMap<String, u64> {
        lock(&self.codes).clone()
    }

    /// Takes note of a contradiction.
    pub fn fault(&self, fault: Fault) {
        let (counter, text) = match fault {
            Fault::Numbering(text) => (&self.numbering_faults, text),
            Fault::Members(text) => (&self.member_faults, text),
            Fault::Speech(text) => (&self.speech_faults, text),
        };
        counter.add();
        let mut faults = lock(&self.faults);
        if faults.len() < FAULTS_TOLD {
            faults.push(text);
        }
    }

    /// The first contradictions, in words.
    pub fn faults(&self) -> Vec<String> {
        lock(&self.faults).clone()
    }

    /// Takes note of how long a join took.
    pub fn joined_in(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(LONGEST_US);
        lock(&self.join_us).saturating_record(micros);
    }

    /// Begins anew with how long joins take.
    pub fn forget_latencies(&self) {
        lock(&self.join_us).reset();
    }

    /// Below which time this share of the joins stayed, in milliseconds.
    pub fn join_ms(&self, quantile: f64) -> f64 {
        Duration::from_micros(lock(&self.join_us).value_at_quantile(quantile)).as_secs_f64() * 1000.0
    }

    /// Sockets that are held now.
    pub fn held(&self) -> usize {
        self.sockets.iter().map(Sockets::now).sum()
    }

    /// Calls of the app that the clients caused: each socket is a `connect`, and what was joined is left or lost.
    pub fn app_calls(&self) -> u64 {
        [&self.opened, &self.joins, &self.leaves, &self.losses].map(Counter::get).iter().sum()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

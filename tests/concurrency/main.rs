//! Many threads call the same few rooms at once, in real time. Afterwards, a checker proves that the rules allow the
//! recorded events and replies.
//!
//! | file | what it holds |
//! |---|---|
//! | `ids` | rooms, users, nodes, times and limits |
//! | `harness`, `store`, `pool`, `nodes`, `interval` | state that the threads share |
//! | `worker`, `changes` | the random calls of a thread |
//! | `caller` | makes calls and records their outcomes |
//! | `recorder` | records the events of all rooms |
//! | `failover` | a primary and its replica, which takes over again and again |
//! | `resharding` | a cluster whose slots move and whose primaries are killed |
//! | `event`, `call` | events, calls and replies |
//! | `checker` | checks events and replies against the rules |
//! | `ghosts` | keys that are left at the end |
//! | `counts` | counts of what happened |
//!
//! `ROLLCALL_CONCURRENCY_SECONDS` sets the length of the run.

// The futures of the use cases are nested deeply.
#![recursion_limit = "256"]

mod call;
mod caller;
mod changes;
mod checker;
mod counts;
mod event;
mod failover;
mod ghosts;
mod harness;
mod ids;
mod interval;
mod nodes;
mod pool;
mod recorder;
mod resharding;
mod store;
mod worker;

use std::{
    collections::BTreeSet,
    io::Write,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use rollcall_tests::redis_server::RedisServer;
use tokio::runtime::Builder;

use crate::{
    caller::{Caller, Log},
    checker::{History, Stay},
    counts::Counts,
    failover::Pair,
    harness::Harness,
    ids::{ROOMS, THREADS},
    recorder::{Recorder, Recording},
    resharding::Resharding,
};

const SECONDS: u64 = 10;

/// A shorter run may miss some outcomes.
const ENOUGH_SECONDS: u64 = 8;

const FAILOVER_SECONDS: u64 = 4;

const RESHARDING_SECONDS: u64 = 4;

const GROWTH_SECONDS: u64 = 4;

/// The record of a run.
struct RunResult {
    logs: Vec<Log>,
    recording: Recording,
    stays: Vec<Vec<Stay>>,
    ghosts: Vec<String>,
    /// Places in which two servers had different events.
    doubled: usize,
    /// How often another server took over, or how many rooms moved to new shards.
    disturbances: usize,
}

#[test]
fn whatever_many_threads_do_at_once_the_history_is_one_that_the_rules_allow() {
    let seconds = read_seconds(SECONDS);
    let counts = in_turn(|| block_on(run_on_one_server(seconds, false)).check("concurrency"));
    let missing = counts.missing();
    assert!(seconds < ENOUGH_SECONDS || missing.is_empty(), "never happened: {missing:?}");
}

#[test]
fn nothing_is_lost_or_doubled_when_replicas_take_over() {
    let seconds = read_seconds(FAILOVER_SECONDS);
    in_turn(|| block_on(run_on_pair(seconds)).check("failover"));
}

#[test]
fn nothing_is_lost_or_doubled_when_slots_move_and_primaries_die() {
    let seconds = read_seconds(RESHARDING_SECONDS);
    in_turn(|| block_on(run_on_cluster(seconds)).check("resharding"));
}

#[test]
fn nothing_is_lost_or_doubled_when_the_number_of_shards_grows() {
    let seconds = read_seconds(GROWTH_SECONDS);
    in_turn(|| block_on(run_on_one_server(seconds, true)).check("growth"));
}

/// Runs one test after another: each needs the whole machine.
fn in_turn<T>(test: impl FnOnce() -> T) -> T {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    test()
}

fn read_seconds(default: u64) -> u64 {
    std::env::var("ROLLCALL_CONCURRENCY_SECONDS").map_or(default, |text| text.parse().unwrap())
}

fn block_on<T>(run: impl Future<Output = T>) -> T {
    Builder::new_current_thread().enable_all().build().unwrap().block_on(run)
}

async fn run_on_one_server(seconds: u64, grows: bool) -> RunResult {
    let server = RedisServer::start().await;
    let recorder = Recorder::start(server.client()).await;
    let mut harness = Harness::new(server.address(), false, Duration::from_secs(seconds));
    harness.grows = grows;
    let harness = Arc::new(harness);
    let logs = start_threads(&harness).into_iter().map(|thread| thread.join().unwrap()).collect();
    let (logs, stays) = end_all(harness, logs).await;
    recorder::end_all(&server.client()).await;
    let (recording, doubled) = recorder::merge([recorder.finish()]);
    let ghosts = ghosts::find(&server.client()).await;
    let disturbances = ghosts::count_handovers(&server.client()).await;
    RunResult { logs, recording, stays, ghosts, doubled, disturbances }
}

async fn run_on_pair(seconds: u64) -> RunResult {
    let mut pair = Pair::start().await;
    let harness = Arc::new(Harness::new(pair.address(), true, Duration::from_secs(seconds)));
    let threads = start_threads(&harness);
    let disturbances = pair.fail_over_until(|| threads.iter().all(JoinHandle::is_finished)).await;
    let logs = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let (logs, stays) = end_all(harness, logs).await;
    let ghosts = ghosts::find(&pair.client()).await;
    let (recording, doubled) = pair.finish().await;
    RunResult { logs, recording, stays, ghosts, doubled, disturbances }
}

async fn run_on_cluster(seconds: u64) -> RunResult {
    let mut resharding = Resharding::start().await;
    let mut harness = Harness::new(resharding.address(), true, Duration::from_secs(seconds));
    harness.is_cluster = true;
    let harness = Arc::new(harness);
    let threads = start_threads(&harness);
    let disturbances = resharding.disturb_until(|| threads.iter().all(JoinHandle::is_finished)).await;
    let logs = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let (logs, stays) = end_all(harness, logs).await;
    let ghosts = resharding.find_ghosts().await;
    let (recording, doubled) = resharding.finish().await;
    RunResult { logs, recording, stays, ghosts, doubled, disturbances }
}

fn start_threads(harness: &Arc<Harness>) -> Vec<JoinHandle<Log>> {
    let threads = (0..THREADS).map(|number| {
        let harness = harness.clone();
        thread::spawn(move || worker::run(number, harness))
    });
    threads.collect()
}

/// Ends all sessions, and reads the attendance of all rooms.
async fn end_all(harness: Arc<Harness>, mut logs: Vec<Log>) -> (Vec<Log>, Vec<Vec<Stay>>) {
    let mut caller = Caller::new(harness);
    ghosts::end_all(&mut caller).await;
    let mut stays = Vec::new();
    for room in 0..ROOMS.len() {
        stays.push(caller.stays(room).await);
    }
    logs.push(caller.log);
    (logs, stays)
}

impl RunResult {
    /// Checks and reports everything that happened.
    fn check(self, name: &str) -> Counts {
        let Self { logs, recording, stays, ghosts, doubled, disturbances } = self;
        let failures: Vec<&String> = logs.iter().flat_map(|log| &log.failures).collect();
        assert!(failures.is_empty(), "{failures:?}");
        let mut counts = Counts::default();
        logs.iter().for_each(|log| counts.count_log(log));
        let mut lost = 0;
        let mut broken = Vec::new();
        for (room, history) in ROOMS.iter().zip(histories(logs, recording, stays)) {
            counts.count(&history);
            lost += history.count_lost();
            if let Err(violation) = checker::check(&history) {
                broken.push(format!("{}: {:?} is broken by {}", room.id, violation.rule, violation.excerpt));
            }
        }
        report(&format!(
            "{name}: {} calls by {THREADS} threads on {} rooms, {} sessions, {} events, {} recovered, \
             {} graces expired, {disturbances} disturbances, lost: {lost}, doubled: {doubled}, ghosts: {}\n",
            format_number(counts.of("call")),
            ROOMS.len(),
            counts.of("started"),
            format_number(counts.of("event")),
            format_number(counts.of("recovered")),
            counts.of("grace expired"),
            ghosts.len(),
        ));
        assert!(broken.is_empty(), "{}", broken.join("\n"));
        assert!(name == "concurrency" || disturbances > 0, "nothing disturbed the run");
        assert_eq!((lost, doubled), (0, 0));
        assert!(ghosts.is_empty(), "{ghosts:?}");
        counts
    }
}

fn histories(mut logs: Vec<Log>, recording: Recording, stays: Vec<Vec<Stay>>) -> Vec<History> {
    let unsure: BTreeSet<String> = logs.iter().flat_map(|log| log.unsure.iter().cloned()).collect();
    let rooms = recording.into_iter().zip(stays).enumerate();
    rooms
        .map(|(room, (events, stays))| {
            let calls = logs.iter_mut().flat_map(|log| std::mem::take(&mut log.calls[room])).collect();
            let unsure = unsure.clone();
            History { events, calls, stays, unsure, capacity: ROOMS[room].capacity }
        })
        .collect()
}

/// Writes to the terminal directly, because libtest hides the output of a test that passes.
fn report(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

/// Formats a number with commas between thousands.
fn format_number(number: usize) -> String {
    if number < 1000 {
        return number.to_string();
    }
    format!("{},{:03}", format_number(number / 1000), number % 1000)
}

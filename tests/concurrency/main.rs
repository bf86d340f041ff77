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
//! | `event`, `call` | events, calls and replies |
//! | `checker` | checks events and replies against the rules |
//! | `ghosts` | keys that are left at the end |
//! | `counts` | counts of what happened |
//!
//! `ROLLCALL_CONCURRENCY_SECONDS` sets the length of the run.

mod call;
mod caller;
mod changes;
mod checker;
mod counts;
mod event;
mod ghosts;
mod harness;
mod ids;
mod interval;
mod nodes;
mod pool;
mod recorder;
mod store;
mod worker;

use std::{io::Write, sync::Arc, thread, time::Duration};

use rollcall_tests::redis_server::RedisServer;
use tokio::runtime::Builder;

use crate::{
    caller::{Caller, Log},
    checker::{History, Stay},
    counts::Counts,
    harness::Harness,
    ids::{ROOMS, THREADS},
    recorder::{Recorder, Recording},
};

const SECONDS: u64 = 10;

/// A shorter run may miss some outcomes.
const ENOUGH_SECONDS: u64 = 8;

/// The record of a run.
struct RunResult {
    logs: Vec<Log>,
    recording: Recording,
    stays: Vec<Vec<Stay>>,
    ghosts: Vec<String>,
}

#[test]
fn whatever_many_threads_do_at_once_the_history_is_one_that_the_rules_allow() {
    let seconds = std::env::var("ROLLCALL_CONCURRENCY_SECONDS").map_or(SECONDS, |text| text.parse().unwrap());
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let RunResult { logs, recording, stays, ghosts } = runtime.block_on(run(Duration::from_secs(seconds)));
    let failures: Vec<&String> = logs.iter().flat_map(|log| &log.failures).collect();
    assert!(failures.is_empty(), "{failures:?}");
    let mut counts = Counts::default();
    logs.iter().for_each(|log| counts.count_log(log));
    for (room, history) in ROOMS.iter().zip(histories(logs, recording, stays)) {
        counts.count(&history);
        if let Err(violation) = checker::check(&history) {
            panic!("{}: {:?} is broken by {}", room.id, violation.rule, violation.excerpt);
        }
    }
    report(&counts, ghosts.len());
    assert!(ghosts.is_empty(), "{ghosts:?}");
    let missing = counts.missing();
    assert!(seconds < ENOUGH_SECONDS || missing.is_empty(), "never happened: {missing:?}");
}

async fn run(length: Duration) -> RunResult {
    let server = RedisServer::start().await;
    let recorder = Recorder::start(server.client()).await;
    let harness = Arc::new(Harness::new(server.client(), length));
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let harness = harness.clone();
            thread::spawn(move || worker::run(number, harness))
        })
        .collect();
    let mut logs: Vec<Log> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let mut caller = Caller::connect(harness).await;
    ghosts::end_all(&mut caller).await;
    let mut stays = Vec::new();
    for room in 0..ROOMS.len() {
        stays.push(caller.stays(room).await);
    }
    logs.push(caller.log);
    let recording = recorder.stop(&server.client()).await;
    RunResult { logs, recording, stays, ghosts: ghosts::find(&server.client()).await }
}

fn histories(mut logs: Vec<Log>, recording: Recording, stays: Vec<Vec<Stay>>) -> Vec<History> {
    let rooms = recording.into_iter().zip(stays).enumerate();
    rooms
        .map(|(room, (events, stays))| {
            let calls = logs.iter_mut().flat_map(|log| std::mem::take(&mut log.calls[room])).collect();
            History { events, calls, stays, capacity: ROOMS[room].capacity }
        })
        .collect()
}

/// Writes to the terminal directly, because libtest hides the output of a test that passes.
fn report(counts: &Counts, ghosts: usize) {
    let text = format!(
        "concurrency: {} calls by {THREADS} threads on {} rooms, {} sessions, {} events, {} recovered, \
         {} graces expired, ghosts: {ghosts}\n",
        format_number(counts.of("call")),
        ROOMS.len(),
        counts.of("started"),
        format_number(counts.of("event")),
        format_number(counts.of("recovered")),
        counts.of("grace expired"),
    );
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

/// Formats a number with commas between thousands.
fn format_number(number: usize) -> String {
    if number < 1000 {
        return number.to_string();
    }
    format!("{},{:03}", format_number(number / 1000), number % 1000)
}

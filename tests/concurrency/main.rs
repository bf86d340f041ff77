//! Many threads at once on the same few rooms, in real time. Afterwards a checker proves from what was told and
//! answered that the history is one that the rules allow.
//!
//! | file | what it holds |
//! |---|---|
//! | `ids` | what the run is about, and the limits |
//! | `stage`, `store`, `pool`, `nodes`, `due` | what the threads share |
//! | `hammer`, `changes` | what a thread does |
//! | `caller` | how it does it, and keeps what came of it |
//! | `recorder` | listens to all rooms |
//! | `event`, `call` | what was told and answered |
//! | `checker` | whether the rules allow it |
//! | `ghosts` | what Redis holds in the end |
//! | `tally` | how often what happened |
//!
//! `ROLLCALL_CONCURRENCY_SECONDS` tells how long to run.

mod call;
mod caller;
mod changes;
mod checker;
mod due;
mod event;
mod ghosts;
mod hammer;
mod ids;
mod nodes;
mod pool;
mod recorder;
mod stage;
mod store;
mod tally;

use std::{io::Write, sync::Arc, thread, time::Duration};

use rollcall_tests::redis_server::RedisServer;
use tokio::runtime::Builder;

use crate::{
    caller::{Caller, Log},
    checker::{History, Stay},
    ids::{ROOMS, THREADS},
    recorder::{Recorder, Recording},
    stage::Stage,
    tally::Tally,
};

const SECONDS: u64 = 10;

/// In less, it is chance what is reached.
const ENOUGH_SECONDS: u64 = 8;

/// What a run came to.
struct Outcome {
    logs: Vec<Log>,
    recording: Recording,
    stays: Vec<Vec<Stay>>,
    ghosts: Vec<String>,
}

#[test]
fn whatever_many_threads_do_at_once_the_history_is_one_that_the_rules_allow() {
    let seconds = std::env::var("ROLLCALL_CONCURRENCY_SECONDS").map_or(SECONDS, |text| text.parse().unwrap());
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let Outcome { logs, recording, stays, ghosts } = runtime.block_on(run(Duration::from_secs(seconds)));
    let failures: Vec<&String> = logs.iter().flat_map(|log| &log.failures).collect();
    assert!(failures.is_empty(), "{failures:?}");
    let mut tally = Tally::default();
    logs.iter().for_each(|log| tally.count_log(log));
    for (room, history) in ROOMS.iter().zip(histories(logs, recording, stays)) {
        tally.count(&history);
        if let Err(violation) = checker::check(&history) {
            panic!("{}: {:?} is broken by {}", room.id, violation.rule, violation.excerpt);
        }
    }
    report(&tally, ghosts.len());
    assert!(ghosts.is_empty(), "{ghosts:?}");
    let missing = tally.missing();
    assert!(seconds < ENOUGH_SECONDS || missing.is_empty(), "never happened: {missing:?}");
}

async fn run(length: Duration) -> Outcome {
    let server = RedisServer::start().await;
    let recorder = Recorder::start(server.client()).await;
    let stage = Arc::new(Stage::new(server.client(), length));
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let stage = stage.clone();
            thread::spawn(move || hammer::hammer(number, stage))
        })
        .collect();
    let mut logs: Vec<Log> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let mut caller = Caller::connect(stage).await;
    ghosts::end_all(&mut caller).await;
    let mut stays = Vec::new();
    for room in 0..ROOMS.len() {
        stays.push(caller.stays(room).await);
    }
    logs.push(caller.log);
    let recording = recorder.stop(&server.client()).await;
    Outcome { logs, recording, stays, ghosts: ghosts::ghosts(&server.client()).await }
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

/// Past libtest, which keeps what a test that passes prints to itself.
fn report(tally: &Tally, ghosts: usize) {
    let text = format!(
        "concurrency: {} calls by {THREADS} threads on {} rooms, {} sessions, {} events, {} recovered, \
         {} graces expired, ghosts: {ghosts}\n",
        readable(tally.of("call")),
        ROOMS.len(),
        tally.of("started"),
        readable(tally.of("event")),
        readable(tally.of("recovered")),
        tally.of("grace expired"),
    );
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

/// With a comma before the thousands.
fn readable(number: usize) -> String {
    if number < 1000 {
        return number.to_string();
    }
    format!("{},{:03}", readable(number / 1000), number % 1000)
}

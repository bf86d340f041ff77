//! Random interleavings of everything that can happen to rooms. After each step, the scripts must agree with a plain
//! model of rooms.
//!
//! | file | what it holds |
//! |---|---|
//! | `ids` | users, nodes, rooms and limits |
//! | `live`, `room`, `join`, `timer`, `status`, `chat`, `code`, `document`, `history` | the model of one room: its session, its rules, the rules of joins, of the timer, of statuses, of the chat, of shared code and of documents, state that outlives sessions |
//! | `lease`, `clock`, `shard` | the model of nodes, of pauses, and of rooms that share them |
//! | `event` | events |
//! | `service` | calls of the service |
//! | `world` | the whole model, with and without sweeps |
//! | `generate` | the choice of the next step |
//! | `subject` | the scripts in a real Redis |
//! | `wire`, `redis_snapshot` | replies, events and keys of Redis that the model expects |
//! | `machine` | the comparison after each step |
//! | `counts` | counts of what happened |
//!
//! `ROLLCALL_MODEL_STEPS` sets the number of steps.

mod chat;
mod clock;
mod code;
mod counts;
mod document;
mod event;
mod generate;
mod history;
mod ids;
mod join;
mod lease;
mod live;
mod machine;
mod redis_snapshot;
mod room;
mod service;
mod shard;
mod status;
mod subject;
mod timer;
mod wire;
mod world;

use std::{
    io::Write,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use proptest::test_runner::{Config, FileFailurePersistence, TestError, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};

use rollcall_tests::substitutes;

use crate::{counts::counts, ids::ROOMS, machine::Machine, world::World};

const STEPS: u32 = 100_000;
/// Steps in an interleaving.
const LENGTH: usize = 150;
/// Each with a Redis of its own: one of them is a node of a cluster.
const THREADS: u32 = 2;
/// With fewer steps, a run may miss some outcomes.
const ENOUGH_STEPS: u32 = 50_000;

/// Enough for shrinking to leave out each step of an interleaving several times.
const MAX_SHRINKS: u32 = 1000;

/// One difference is enough: the other threads stop.
static HAS_DIFFERENCE: AtomicBool = AtomicBool::new(false);

const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/model/regressions.txt");

#[test]
fn rooms_do_what_the_model_does_whatever_happens_in_whatever_order() {
    let steps = std::env::var("ROLLCALL_MODEL_STEPS").map_or(STEPS, |steps| steps.parse().unwrap());
    let began = Instant::now();
    let cases = steps.div_ceil(LENGTH as u32).div_ceil(THREADS);
    let threads: Vec<_> = (0..THREADS).map(|_| thread::spawn(move || interleave(cases))).collect();
    let differences: Vec<String> =
        threads.into_iter().filter_map(|thread| thread.join().unwrap().err()).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    report(began.elapsed());
    let missing = counts().missing();
    assert!(steps < ENOUGH_STEPS || missing.is_empty(), "never happened: {missing:?}");
}

/// Runs interleavings one after another. Fails with the shortest one that shows a difference.
fn interleave(cases: u32) -> Result<(), String> {
    let config = configure(cases);
    let strategy = World::sequential_strategy(LENGTH);
    let result = TestRunner::new(config.clone()).run(&strategy, |(world, steps, observed)| {
        if !HAS_DIFFERENCE.load(Ordering::Relaxed) {
            Machine::test_sequential(config.clone(), world, steps, observed);
        }
        Ok(())
    });
    HAS_DIFFERENCE.fetch_or(result.is_err(), Ordering::Relaxed);
    result.map_err(|error| match error {
        TestError::Fail(difference, (world, steps, _)) => {
            let steps: Vec<String> = steps.iter().map(|step| format!("    {step:?}")).collect();
            format!("after {} steps, {:?}:\n{}\n{difference}", steps.len(), world.workload, steps.join("\n"))
        }
        TestError::Abort(reason) => reason.to_string(),
    })
}

fn configure(cases: u32) -> Config {
    if substitutes::are_in_use() {
        // Only whether there is a difference counts for scripts that run for a trial.
        return Config { cases, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    }
    let persistence = FileFailurePersistence::Direct(REGRESSIONS);
    Config {
        cases,
        failure_persistence: Some(Box::new(persistence)),
        max_shrink_iters: MAX_SHRINKS,
        ..Config::default()
    }
}

/// Writes to the terminal directly, because libtest hides the output of a test that passes.
fn report(took: Duration) {
    let counts = counts();
    let (steps, rooms, took) = (counts.steps(), ROOMS.len(), took.as_secs());
    let interleavings = steps / LENGTH as u64;
    let text = format!(
        "model: {steps} steps in {interleavings} interleavings of {rooms} rooms, 0 differences ({took} s)\n\
         model: {}\n",
        counts.in_words()
    );
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

//! Random interleavings of everything that can happen to rooms: what a plain model of them does, step by step, the
//! scripts must do as well.
//!
//! | file | what it holds |
//! |---|---|
//! | `ids` | who and what the interleavings are about, and the limits |
//! | `live`, `room`, `past` | the model of one room: its session, its rules, what outlives sessions |
//! | `lease`, `shard` | the model of nodes, and of rooms that share them |
//! | `event` | what rooms tell |
//! | `service` | what can happen: one call of the service |
//! | `world` | the whole reference, with and without sweeps |
//! | `generate` | what happens next |
//! | `subject` | the scripts in a real Redis |
//! | `wire`, `picture` | what the model expects of answers and events, and of what Redis holds |
//! | `machine` | step by step: the two compared |
//! | `tally` | how often what happened |
//!
//! `ROLLCALL_MODEL_STEPS` tells how many steps to take in all.

mod event;
mod generate;
mod ids;
mod lease;
mod live;
mod machine;
mod past;
mod picture;
mod room;
mod service;
mod shard;
mod subject;
mod tally;
mod wire;
mod world;

use std::{
    io::Write,
    thread,
    time::{Duration, Instant},
};

use proptest::test_runner::{Config, FileFailurePersistence, TestError, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};

use crate::{ids::ROOMS, machine::Machine, tally::tally, world::World};

const STEPS: u32 = 100_000;
/// How many steps make an interleaving.
const LENGTH: usize = 150;
/// Each with a Redis of its own.
const THREADS: u32 = 2;
/// With fewer steps, it is chance what is reached.
const ENOUGH_STEPS: u32 = 20_000;

/// Enough to try to leave out each step of an interleaving several times.
const MAX_SHRINKS: u32 = 1000;

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
    let missing = tally().missing();
    assert!(steps < ENOUGH_STEPS || missing.is_empty(), "never happened: {missing:?}");
}

/// Runs interleavings one after another. Returns the shortest that went wrong.
fn interleave(cases: u32) -> Result<(), String> {
    let persistence = FileFailurePersistence::Direct(REGRESSIONS);
    let config = Config {
        cases,
        failure_persistence: Some(Box::new(persistence)),
        max_shrink_iters: MAX_SHRINKS,
        ..Config::default()
    };
    let strategy = World::sequential_strategy(LENGTH);
    let result = TestRunner::new(config.clone()).run(&strategy, |(world, steps, seen)| {
        Machine::test_sequential(config.clone(), world, steps, seen);
        Ok(())
    });
    result.map_err(|error| match error {
        TestError::Fail(difference, (world, steps, _)) => {
            let steps: Vec<String> = steps.iter().map(|step| format!("    {step:?}")).collect();
            format!("after {} steps, {:?}:\n{}\n{difference}", steps.len(), world.mood, steps.join("\n"))
        }
        TestError::Abort(reason) => reason.to_string(),
    })
}

/// Past libtest, which keeps what a test that passes prints to itself.
fn report(took: Duration) {
    let tally = tally();
    let (steps, rooms, took) = (tally.steps(), ROOMS.len(), took.as_secs());
    let interleavings = steps / LENGTH as u64;
    let text = format!(
        "model: {steps} steps in {interleavings} interleavings of {rooms} rooms, 0 differences ({took} s)\n\
         model: {}\n",
        tally.in_words()
    );
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

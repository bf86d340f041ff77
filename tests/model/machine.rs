//! Runs each step in the model and in the scripts, and compares everything that can be observed.

use std::{cell::RefCell, panic};

use fastrand::Rng;
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};
use rollcall_protocol::event::NextDue;
use serde_json::Value;

use crate::{
    counts::counts,
    generate::{self, Workload},
    ids::ROOMS,
    redis_snapshot,
    subject::{Observed, Subject},
    wire,
    world::{Step, World},
};

thread_local! {
    /// Shared by interleavings: the start of a Redis takes longer than one of them.
    static SUBJECT: RefCell<Subject> = RefCell::new(Subject::start());
}

impl ReferenceStateMachine for World {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        let workloads = prop_oneof![5 => Just(Workload::Steady), 3 => Just(Workload::Stormy), 1 => Just(Workload::Crowded)];
        workloads.no_shrink().prop_map(World::new).boxed()
    }

    /// A step names everything that it is about, so that it means the same when shrinking leaves out other steps.
    fn transitions(world: &Self) -> BoxedStrategy<Step> {
        let world = world.clone();
        let seeds = any::<u64>().no_shrink();
        seeds.prop_map(move |seed| generate::pick_step(&world, &mut Rng::with_seed(seed))).boxed()
    }

    fn apply(mut world: Self, step: &Step) -> Self {
        world.run(step);
        world
    }
}

pub struct Machine;

impl StateMachineTest for Machine {
    type SystemUnderTest = ();
    type Reference = World;

    fn init_test(_: &World) {
        SUBJECT.with_borrow_mut(Subject::reset);
    }

    fn apply((): (), world: &World, step: Step) {
        let observed = SUBJECT.with_borrow(|subject| subject.act(&step.action, step.at));
        let differences = differences(world, &observed);
        if !differences.is_empty() {
            // Prints no message, unlike a panic: shrinking would print many.
            panic::resume_unwind(Box::new(differences.join("\n")));
        }
        if !world.is_up_to_date(&step) {
            panic::resume_unwind(Box::new(format!("a room went by an older definition after {step:?}")));
        }
        counts().count(&step, world);
    }

    fn check_invariants((): &(), world: &World) {
        if !world.is_unaffected_by_sweeps() {
            panic::resume_unwind(Box::new("a sweep changed more than the time of events".to_owned()));
        }
    }
}

/// Differences between the model and the scripts after the last step.
fn differences(world: &World, observed: &Observed) -> Vec<String> {
    let mut differences = Vec::new();
    let reply = wire::reply(&world.reply);
    differences.extend(difference("reply", &[reply], std::slice::from_ref(&observed.reply)));
    differences.extend(difference("reads of the store", &[world.service.reads], &[observed.reads]));
    for (room, events) in world.events().into_iter().enumerate() {
        let expected: Vec<Value> = events.iter().map(wire::event).collect();
        let what = format!("events of {}", ROOMS[room]);
        differences.extend(difference(&what, &expected, &observed.published.events[room]));
    }
    let announced = |due| NextDue { as_of: world.now, due_at: Some(due), is_partial: true };
    for near in world.near_deadlines.iter().copied().map(announced) {
        if !observed.published.deadlines.contains(&near) {
            differences.push(format!("no bridge heard of {near:?}"));
        }
    }
    differences.extend(difference(
        "Redis",
        &redis_snapshot::of(&world.service.shard),
        &observed.redis_snapshot,
    ));
    differences
}

/// A difference between two lists, without what they have in common.
fn difference<T: PartialEq + std::fmt::Display>(what: &str, expected: &[T], found: &[T]) -> Option<String> {
    if expected == found {
        return None;
    }
    let only_in = |these: &[T], others: &[T]| {
        let these: Vec<String> = these.iter().filter(|it| !others.contains(it)).map(T::to_string).collect();
        these.join("\n        ")
    };
    let (expected, found) = (only_in(expected, found), only_in(found, expected));
    Some(format!("{what}:\n    expected\n        {expected}\n    found\n        {found}"))
}

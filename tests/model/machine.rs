//! Takes each step twice, in the model and in the scripts, and compares everything that can be seen of them.

use std::{cell::RefCell, panic};

use fastrand::Rng;
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};
use serde_json::Value;

use crate::{
    generate::{self, Mood},
    ids::{ROOMS, RoomNo},
    picture,
    service::Action,
    subject::{Seen, Subject},
    tally::tally,
    wire,
    world::{Step, World},
};

thread_local! {
    /// Starting a Redis takes longer than a whole interleaving.
    static SUBJECT: RefCell<Subject> = RefCell::new(Subject::start());
}

impl ReferenceStateMachine for World {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        let moods = prop_oneof![5 => Just(Mood::Steady), 3 => Just(Mood::Stormy), 1 => Just(Mood::Crowded)];
        moods.no_shrink().prop_map(World::new).boxed()
    }

    /// A step names everything it is about, so that leaving out others on the way to a short failure does not change
    /// what it means.
    fn transitions(world: &Self) -> BoxedStrategy<Step> {
        let world = world.clone();
        let seeds = any::<u64>().no_shrink();
        seeds.prop_map(move |seed| generate::step(&world, &mut Rng::with_seed(seed))).boxed()
    }

    fn apply(mut world: Self, step: &Step) -> Self {
        world.take(step);
        world
    }
}

pub struct Machine;

impl StateMachineTest for Machine {
    type SystemUnderTest = ();
    type Reference = World;

    fn init_test(_: &World) {
        SUBJECT.with_borrow_mut(Subject::begin_anew);
    }

    fn apply((): (), world: &World, step: Step) {
        let seen = SUBJECT.with_borrow(|subject| subject.act(&step.action, step.at));
        let differences = differences(world, &step, &seen);
        if !differences.is_empty() {
            // Without the message that a panic prints: there are many on the way to the shortest failure.
            panic::resume_unwind(Box::new(differences.join("\n")));
        }
        tally().count(&step, world);
    }

    fn check_invariants((): &(), world: &World) {
        if !world.is_as_if_unswept() {
            panic::resume_unwind(Box::new("sweeping has changed more than when things are told".to_owned()));
        }
    }
}

/// What the model expects of the last step and was not so.
fn differences(world: &World, step: &Step, seen: &Seen) -> Vec<String> {
    let mut differences = Vec::new();
    let answer = wire::answer(&world.answer, room_of(&step.action));
    differences.extend(difference("answer", &[answer], std::slice::from_ref(&seen.answer)));
    for (room, events) in world.events().into_iter().enumerate() {
        let expected: Vec<Value> = events.iter().map(|event| wire::event(event, room)).collect();
        let what = format!("events of {}", ROOMS[room]);
        differences.extend(difference(&what, &expected, &seen.events[room]));
    }
    differences.extend(difference("Redis", &picture::of(&world.service.shard), &seen.picture));
    differences
}

/// Leaves out what is alike.
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

fn room_of(action: &Action) -> Option<RoomNo> {
    match action {
        Action::Read { room, .. } => Some(*room),
        _ => None,
    }
}

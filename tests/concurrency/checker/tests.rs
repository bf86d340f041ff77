//! Each rule rejects a history that breaks it.

mod events;
mod history_builder;
mod replies;

use std::time::Duration;

use super::{Rule, check};
use crate::checker::History;

/// Makes one change to a valid history. Returns the rule that the history breaks.
fn broken(change: impl FnOnce(&mut History)) -> Option<Rule> {
    let mut history = history_builder::valid_history();
    change(&mut history);
    check(&history).err().map(|violation| violation.rule)
}

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_valid_history_passes() {
    if let Err(violation) = check(&history_builder::valid_history()) {
        panic!("{violation:?}");
    }
}

#[test]
fn a_violation_shows_the_events_around_it() {
    let mut history = history_builder::valid_history();
    history_builder::drop_event(&mut history, history_builder::KIM_LEFT);
    let violation = check(&history).unwrap_err();
    assert!(violation.excerpt.contains("ben/2"), "{}", violation.excerpt);
}

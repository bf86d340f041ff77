//! Histories that are forged: each rule rejects one that breaks it.

mod answers;
mod events;
mod forge;

use std::time::Duration;

use super::{Rule, check};
use crate::checker::History;

/// The rule that a history breaks which is good but for one thing.
fn broken(forge: impl FnOnce(&mut History)) -> Option<Rule> {
    let mut history = forge::good();
    forge(&mut history);
    check(&history).err().map(|violation| violation.rule)
}

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_good_history_passes() {
    if let Err(violation) = check(&forge::good()) {
        panic!("{violation:?}");
    }
}

#[test]
fn what_shows_a_violation_is_told() {
    let mut history = forge::good();
    forge::drop_event(&mut history, forge::KIM_LEFT);
    let violation = check(&history).unwrap_err();
    assert!(violation.excerpt.contains("ben/2"), "{}", violation.excerpt);
}

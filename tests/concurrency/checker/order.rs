//! Replies against each other: a call that begins after a reply came must not get an older reply.

use std::{collections::BTreeMap, time::Duration};

use super::{Rule, Violation};
use crate::call::{Call, Outcome, View};

pub fn check(calls: &[Call]) -> Result<(), Violation> {
    check_views(calls)?;
    check_closed(calls)
}

fn check_views(calls: &[Call]) -> Result<(), Violation> {
    let views = calls.iter().filter_map(|call| Some((call, view(call)?)));
    let mut by_begin: Vec<_> = views.collect();
    let mut by_finish = by_begin.clone();
    by_begin.sort_by_key(|(call, _)| call.began);
    by_finish.sort_by_key(|(call, _)| call.finished);
    let mut finished = by_finish.into_iter().peekable();
    let mut newest: Option<(&Call, (u64, u64))> = None;
    for (call, place) in by_begin {
        while let Some(earlier) = finished.next_if(|(earlier, _)| earlier.finished < call.began) {
            newest = newest.into_iter().chain([earlier]).max_by_key(|(_, place)| *place);
        }
        if let Some((earlier, _)) = newest.filter(|(_, newest)| *newest > place) {
            return Err(Violation::new(Rule::RepliesGoForward, &(earlier, call)));
        }
    }
    Ok(())
}

/// The last event that a reply includes, as epoch and sequence number.
pub fn view(call: &Call) -> Option<(u64, u64)> {
    // The ack of the member who starts a session does not include even the first event.
    let place = |view: &View| (view.epoch, view.seq.max(1));
    match &call.outcome {
        Outcome::Joined { ack, .. } => Some(place(&ack.view)),
        Outcome::Read { view, .. } => view.as_ref().map(place),
        _ => None,
    }
}

fn check_closed(calls: &[Call]) -> Result<(), Violation> {
    let mut closed: BTreeMap<&str, Duration> = BTreeMap::new();
    for call in calls {
        if let Outcome::Closed { entry } = &call.outcome {
            let first = closed.entry(entry).or_insert(call.finished);
            *first = call.finished.min(*first);
        }
    }
    let is_over = |entry: &str, call: &Call| closed.get(entry).is_some_and(|at| *at < call.began);
    for call in calls {
        let is_revived = match &call.outcome {
            Outcome::Joined { entry, .. } => is_over(entry, call),
            Outcome::Read { entries, gone, .. } => {
                entries.iter().any(|entry| !gone.contains(entry) && is_over(entry, call))
            }
            _ => false,
        };
        if is_revived {
            return Err(Violation::new(Rule::ClosedEntriesStayClosed, call));
        }
    }
    Ok(())
}

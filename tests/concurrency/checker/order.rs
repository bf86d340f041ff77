//! Answers among each other: what was asked after an answer had come is not answered as if before it.

use std::{collections::BTreeMap, time::Duration};

use super::{Rule, Violation};
use crate::call::{Call, View, What};

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
            return Err(Violation::new(Rule::AnswersGoForward, &(earlier, call)));
        }
    }
    Ok(())
}

/// The place in the room's history that an answer tells of.
fn view(call: &Call) -> Option<(u64, u64)> {
    // The ack of who starts a session leaves even the first event to come.
    let place = |view: &View| (view.epoch, view.seq.max(1));
    match &call.what {
        What::Joined { ack, .. } => Some(place(&ack.view)),
        What::Read { view, .. } => view.as_ref().map(place),
        _ => None,
    }
}

fn check_closed(calls: &[Call]) -> Result<(), Violation> {
    let mut closed: BTreeMap<&str, Duration> = BTreeMap::new();
    for call in calls {
        if let What::Closed { entry } = &call.what {
            let first = closed.entry(entry).or_insert(call.finished);
            *first = call.finished.min(*first);
        }
    }
    let is_over = |entry: &str, call: &Call| closed.get(entry).is_some_and(|at| *at < call.began);
    for call in calls {
        let is_revived = match &call.what {
            What::Joined { entry, .. } => is_over(entry, call),
            What::Read { seats, gone, .. } => {
                seats.iter().any(|seat| !gone.contains(seat) && is_over(seat, call))
            }
            _ => false,
        };
        if is_revived {
            return Err(Violation::new(Rule::ClosedEntriesStayClosed, call));
        }
    }
    Ok(())
}

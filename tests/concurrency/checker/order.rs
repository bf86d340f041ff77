//! Answers among each other: what was asked after an answer had come is not answered as if before it.

use std::{collections::BTreeMap, time::Duration};

use super::{Rule, Violation};
use crate::call::{Call, View, What};

pub fn check(calls: &[Call]) -> Result<(), Violation> {
    check_views(calls)?;
    check_closed(calls)
}

fn check_views(calls: &[Call]) -> Result<(), Violation> {
    let copies = copies(calls);
    let views = calls.iter().filter_map(|call| Some((call, view(call, &copies)?)));
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

/// How often each entry was let in. The answer to a copy keeps the place of the first one.
fn copies(calls: &[Call]) -> BTreeMap<&str, usize> {
    let mut copies = BTreeMap::new();
    for call in calls {
        if let What::Joined { entry, .. } = &call.what {
            *copies.entry(entry.as_str()).or_default() += 1;
        }
    }
    copies
}

/// The place in the room's history that an answer tells of.
fn view(call: &Call, copies: &BTreeMap<&str, usize>) -> Option<(u64, u64)> {
    let place = |view: &View| (view.epoch, view.seq);
    match &call.what {
        What::Joined { entry, ack, .. } if copies[entry.as_str()] == 1 => Some(place(&ack.view)),
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

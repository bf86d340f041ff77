//! Replies to joins and reads against the events.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Rule, Violation,
    replay::{Replay, Step},
};
use crate::{
    call::{Ack, Call, Outcome, View},
    event::{Change, EventKind},
};

struct Acked<'a> {
    user: &'a str,
    /// Several if copies of the join arrived; ordered by the last event that they include.
    acks: Vec<&'a Ack>,
}

type Entries<'a> = BTreeMap<&'a str, Acked<'a>>;

pub fn check(calls: &[Call], unsure: &BTreeSet<String>, replay: &Replay) -> Result<(), Violation> {
    for call in calls {
        match &call.outcome {
            Outcome::Failed(reason) => return Err(Violation::new(Rule::CallsSucceed, &(reason, call))),
            Outcome::Read { view: Some(view), .. } => check_view(view, replay)?,
            _ => {}
        }
    }
    let entries = entries(calls);
    for (entry, acked) in &entries {
        if unsure.contains(*entry) {
            acked.acks.iter().try_for_each(|ack| check_view(&ack.view, replay))?;
        } else {
            check_entry(entry, acked, replay)?;
        }
    }
    check_events(&entries, unsure, replay)?;
    check_close_notices(&entries, unsure, replay)
}

fn entries(calls: &[Call]) -> Entries<'_> {
    let mut entries = Entries::new();
    for call in calls {
        if let Outcome::Joined { user, entry, ack } = &call.outcome {
            entries.entry(entry).or_insert(Acked { user, acks: Vec::new() }).acks.push(ack);
        }
    }
    for acked in entries.values_mut() {
        acked.acks.sort_by_key(|ack| (ack.view.epoch, ack.view.seq));
    }
    entries
}

fn check_view(view: &View, replay: &Replay) -> Result<(), Violation> {
    let step = replay.at(view.epoch, view.seq);
    let is_exact = step.is_some_and(|step| step.state.shows(view));
    is_exact.then_some(()).ok_or_else(|| {
        Violation::new(Rule::RepliesAreExact, &(view, step.map(|step| (step.event, &step.state))))
    })
}

fn check_entry(entry: &str, acked: &Acked, replay: &Replay) -> Result<(), Violation> {
    let [ack, copies @ ..] = acked.acks.as_slice() else { return Ok(()) };
    let step = replay.at(ack.view.epoch, ack.view.seq);
    let fits = step.is_some_and(|step| fits(entry, acked.user, ack, step));
    if !fits {
        return Err(Violation::new(Rule::AcksFitEvents, &(entry, ack, step.map(|step| step.event))));
    }
    copies.iter().try_for_each(|copy| check_copy(ack, copy))?;
    acked.acks.iter().try_for_each(|ack| check_view(&ack.view, replay))
}

/// Whether an ack fits the last event that it includes: the entry starts the session, enters, recovers, or joins a
/// member who is present.
fn fits(entry: &str, user: &str, ack: &Ack, step: &Step) -> bool {
    let is_own = step.event.except.as_deref() == Some(entry);
    match &step.event.kind {
        EventKind::Started { host, .. } if ack.first => ack.view.seq == 0 && host == user && !ack.recovered,
        EventKind::Changed { change: Change::Entered, users, .. } if is_own => {
            !ack.first && !ack.recovered && users.as_slice() == [user]
        }
        EventKind::Reconnected { user: back, .. } if is_own => !ack.first && ack.recovered && back == user,
        _ if is_own => false,
        _ => !ack.first && ack.view.seq > 0 && step.state.is_present(user),
    }
}

fn check_copy(ack: &Ack, copy: &Ack) -> Result<(), Violation> {
    let facts = |ack: &Ack| (ack.view.epoch, ack.first, ack.recovered);
    (facts(ack) == facts(copy)).then_some(()).ok_or_else(|| Violation::new(Rule::AcksAreAlike, &(ack, copy)))
}

/// Each member who enters or comes back has an ack of that event, and each session has one ack that says `first`.
fn check_events(entries: &Entries, unsure: &BTreeSet<String>, replay: &Replay) -> Result<(), Violation> {
    let mut firsts: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    for (entry, acked) in entries.iter().filter(|(_, acked)| acked.acks[0].first) {
        firsts.entry(acked.acks[0].view.epoch).or_default().push(entry);
    }
    for (epoch, steps) in &replay.sessions {
        let firsts_of_session = firsts.get(epoch).map_or(0, Vec::len);
        // Nobody knows who was first if the reply is lost.
        if firsts_of_session > 1 || (firsts_of_session == 0 && unsure.is_empty()) {
            return Err(Violation::new(Rule::OneMemberIsFirst, &(steps[0].event, firsts.get(epoch))));
        }
        for Step { event, .. } in steps {
            let Some(entry) = event.except.as_deref().filter(|entry| !unsure.contains(*entry)) else {
                continue;
            };
            let place = entries.get(entry).map(|acked| &acked.acks[0].view);
            if place.is_none_or(|view| (view.epoch, view.seq) != (event.epoch, event.seq)) {
                return Err(Violation::new(Rule::EntriesHaveAcks, &event));
            }
        }
    }
    Ok(())
}

/// Each closed entry was acked in the same session, and its member is present.
fn check_close_notices(
    entries: &Entries,
    unsure: &BTreeSet<String>,
    replay: &Replay,
) -> Result<(), Violation> {
    for (entry, event) in replay.close_notices.iter().filter(|(entry, _)| !unsure.contains(**entry)) {
        let is_known = entries.get(entry).is_some_and(|acked| {
            let step = replay.at(event.epoch, event.seq);
            acked.acks[0].view.epoch == event.epoch
                && step.is_some_and(|step| step.state.is_present(acked.user))
        });
        if !is_known {
            return Err(Violation::new(Rule::EntriesHaveAcks, event));
        }
    }
    Ok(())
}

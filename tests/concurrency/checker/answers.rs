//! What joins and reads were told, by the events.

use std::collections::BTreeMap;

use super::{
    Rule, Violation,
    replay::{Past, Step},
};
use crate::{
    call::{Ack, Call, View, What},
    event::{Change, News},
};

struct Acked<'a> {
    user: &'a str,
    /// More than one where copies of the join arrived; the earliest place first.
    acks: Vec<&'a Ack>,
}

type Entries<'a> = BTreeMap<&'a str, Acked<'a>>;

pub fn check(calls: &[Call], past: &Past) -> Result<(), Violation> {
    for call in calls {
        match &call.what {
            What::Failed(reason) => return Err(Violation::new(Rule::CallsAreAnswered, &(reason, call))),
            What::Read { view: Some(view), .. } => check_view(view, past)?,
            _ => {}
        }
    }
    let entries = entries(calls);
    for (entry, acked) in &entries {
        check_entry(entry, acked, past)?;
    }
    check_events(&entries, past)?;
    check_dismissals(&entries, past)
}

fn entries(calls: &[Call]) -> Entries<'_> {
    let mut entries = Entries::new();
    for call in calls {
        if let What::Joined { user, entry, ack } = &call.what {
            entries.entry(entry).or_insert(Acked { user, acks: Vec::new() }).acks.push(ack);
        }
    }
    for acked in entries.values_mut() {
        acked.acks.sort_by_key(|ack| (ack.view.epoch, ack.view.seq));
    }
    entries
}

fn check_view(view: &View, past: &Past) -> Result<(), Violation> {
    let step = past.at(view.epoch, view.seq);
    let is_exact = step.is_some_and(|step| step.state.shows(view));
    is_exact.then_some(()).ok_or_else(|| {
        Violation::new(Rule::AnswersAreExact, &(view, step.map(|step| (step.event, &step.state))))
    })
}

fn check_entry(entry: &str, acked: &Acked, past: &Past) -> Result<(), Violation> {
    let [ack, copies @ ..] = acked.acks.as_slice() else { return Ok(()) };
    let step = past.at(ack.view.epoch, ack.view.seq);
    let fits = step.is_some_and(|step| fits(entry, acked.user, ack, step));
    if !fits {
        return Err(Violation::new(Rule::AcksFitEvents, &(entry, ack, step.map(|step| step.event))));
    }
    copies.iter().try_for_each(|copy| check_copy(ack, copy))?;
    acked.acks.iter().try_for_each(|ack| check_view(&ack.view, past))
}

/// An entry starts the room, or enters, or comes back, or stands in for or beside another that is there.
fn fits(entry: &str, user: &str, ack: &Ack, step: &Step) -> bool {
    let is_own = step.event.except.as_deref() == Some(entry);
    match &step.event.news {
        News::Started { host, .. } if ack.first => ack.view.seq == 0 && host == user && !ack.recovered,
        News::Changed { change: Change::Entered, users, .. } if is_own => {
            !ack.first && !ack.recovered && users.as_slice() == [user]
        }
        News::Reconnected { user: back, .. } if is_own => !ack.first && ack.recovered && back == user,
        _ if is_own => false,
        _ => !ack.first && ack.view.seq > 0 && step.state.is_present(user),
    }
}

fn check_copy(ack: &Ack, copy: &Ack) -> Result<(), Violation> {
    let what = |ack: &Ack| (ack.view.epoch, ack.first, ack.recovered);
    (what(ack) == what(copy)).then_some(()).ok_or_else(|| Violation::new(Rule::AcksAreAlike, &(ack, copy)))
}

/// Who is told to have entered or come back was told so as well, and no other was told to be first.
fn check_events(entries: &Entries, past: &Past) -> Result<(), Violation> {
    let mut firsts: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    for (entry, acked) in entries.iter().filter(|(_, acked)| acked.acks[0].first) {
        firsts.entry(acked.acks[0].view.epoch).or_default().push(entry);
    }
    for (epoch, steps) in &past.sessions {
        if firsts.get(epoch).map_or(0, Vec::len) != 1 {
            return Err(Violation::new(Rule::OneIsFirst, &(steps[0].event, firsts.get(epoch))));
        }
        for Step { event, .. } in steps {
            let Some(entry) = event.except.as_deref() else { continue };
            let place = entries.get(entry).map(|acked| &acked.acks[0].view);
            if place.is_none_or(|view| (view.epoch, view.seq) != (event.epoch, event.seq)) {
                return Err(Violation::new(Rule::EntriesHaveAcks, &event));
            }
        }
    }
    Ok(())
}

/// Whoever is dismissed was let in by the same session, and is in it.
fn check_dismissals(entries: &Entries, past: &Past) -> Result<(), Violation> {
    for (entry, event) in &past.dismissals {
        let is_known = entries.get(entry).is_some_and(|acked| {
            let step = past.at(event.epoch, event.seq);
            acked.acks[0].view.epoch == event.epoch
                && step.is_some_and(|step| step.state.is_present(acked.user))
        });
        if !is_known {
            return Err(Violation::new(Rule::EntriesHaveAcks, event));
        }
    }
    Ok(())
}

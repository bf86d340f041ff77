//! How often what happened: threads that never get somewhere prove nothing about it.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_protocol::ErrorCode;

use crate::{
    call::{Call, What},
    caller::Log,
    checker::History,
    event::{Change, Event, News},
};

/// What every run that is not cut short must get to.
const EXPECTED: &[&str] = &[
    "first",
    "entered",
    "recovered",
    "answered alike",
    "left",
    "grace expired",
    "removed",
    "lost",
    "back",
    "host changed",
    "leader changed",
    "rescheduled",
    "reminded",
    "ended in time",
    "ended early",
    "replaced",
    "put out",
    "read",
    "read while not live",
    "lease broken",
    "ALREADY_JOINED",
    "ENTRY_CLOSED",
    "NOT_A_MEMBER",
    "NO_SUCH_ROOM",
    "ROOM_FULL",
    "SESSION_ENDED",
];

#[derive(Default)]
pub struct Tally(BTreeMap<&'static str, usize>);

impl Tally {
    pub fn count_log(&mut self, log: &Log) {
        let of_rooms: usize = log.calls.iter().map(Vec::len).sum();
        *self.0.entry("call").or_default() += of_rooms + log.heartbeats + log.sweeps;
        *self.0.entry("lease broken").or_default() += log.broken_leases;
    }

    pub fn count(&mut self, history: &History) {
        for event in &history.events {
            self.add("event");
            self.add(told(event));
        }
        let mut entries = BTreeSet::new();
        for call in &history.calls {
            for outcome in answered(call) {
                self.add(outcome);
            }
            if let What::Joined { entry, .. } = &call.what
                && !entries.insert(entry)
            {
                self.add("answered alike");
            }
        }
    }

    fn add(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub fn of(&self, what: &str) -> usize {
        self.0.get(what).copied().unwrap_or_default()
    }

    pub fn missing(&self) -> Vec<&'static str> {
        EXPECTED.iter().copied().filter(|what| self.of(what) == 0).collect()
    }
}

fn told(event: &Event) -> &'static str {
    match &event.news {
        News::Started { .. } => "started",
        News::Changed { change: Change::Entered, .. } => "entered",
        News::Changed { change: Change::Left, .. } => "left",
        News::Changed { change: Change::GraceExpired, .. } => "grace expired",
        News::Changed { change: Change::Removed, .. } => "removed",
        News::Reconnecting { .. } => "lost",
        News::Reconnected { .. } => "back",
        News::HostChanged { .. } => "host changed",
        News::LeaderChanged { .. } => "leader changed",
        News::Rescheduled { .. } => "rescheduled",
        News::Reminder { .. } => "reminded",
        News::Ended { in_time: true } => "ended in time",
        News::Ended { in_time: false } => "ended early",
        News::Replaced => "replaced",
        News::PutOut => "put out",
    }
}

fn answered(call: &Call) -> Vec<&'static str> {
    match &call.what {
        What::Joined { ack, .. } => {
            let ways = [(ack.first, "first"), (ack.recovered, "recovered")];
            ways.into_iter().filter(|(is_so, _)| *is_so).map(|(_, way)| way).collect()
        }
        What::JoinRefused(code) | What::Changed(Err(code)) => vec![ErrorCode::as_str(*code)],
        What::Read { view: Some(_), .. } => vec!["read"],
        What::Read { view: None, .. } => vec!["read while not live"],
        What::Closed { .. } => vec!["closed"],
        What::Changed(Ok(())) => vec!["changed"],
        What::Failed(_) => vec!["failed"],
    }
}

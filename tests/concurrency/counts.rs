//! Counts of what happened: the run proves nothing about a case that no thread reaches.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_protocol::ErrorCode;

use crate::{
    call::{Call, Outcome},
    caller::Log,
    checker::History,
    event::{Change, Event, EventKind},
};

/// Outcomes that every run of full length must reach.
const EXPECTED: &[&str] = &[
    "first",
    "entered",
    "recovered",
    "repeated",
    "left",
    "grace expired",
    "removed",
    "lost",
    "back",
    "host changed",
    "leader changed",
    "rescheduled",
    "reminded",
    "message",
    "sent",
    "message sent again",
    "messages read",
    "ended in time",
    "ended early",
    "replaced",
    "entry removed",
    "read",
    "read while not live",
    "lease lost",
    "change that crashed",
    "ALREADY_JOINED",
    "ENTRY_CLOSED",
    "NOT_A_MEMBER",
    "NO_SUCH_ROOM",
    "RATE_LIMITED",
    "ROOM_FULL",
    "SESSION_ENDED",
];

#[derive(Default)]
pub struct Counts(BTreeMap<&'static str, usize>);

impl Counts {
    pub fn count_log(&mut self, log: &Log) {
        let of_rooms: usize = log.calls.iter().map(Vec::len).sum();
        *self.0.entry("call").or_default() += of_rooms + log.heartbeats + log.sweeps;
        *self.0.entry("lease lost").or_default() += log.lost_leases;
        *self.0.entry("change that crashed").or_default() += log.crashes;
    }

    pub fn count(&mut self, history: &History) {
        for event in &history.events {
            self.add("event");
            self.add(event_outcome(event));
        }
        let (mut entries, mut sent) = (BTreeSet::new(), BTreeSet::new());
        for call in &history.calls {
            for outcome in call_outcomes(call) {
                self.add(outcome);
            }
            if let Outcome::Joined { entry, .. } = &call.outcome
                && !entries.insert(entry)
            {
                self.add("repeated");
            }
            if let Outcome::Sent { id, .. } = &call.outcome
                && !sent.insert(id)
            {
                self.add("message sent again");
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

fn event_outcome(event: &Event) -> &'static str {
    match &event.kind {
        EventKind::Started { .. } => "started",
        EventKind::Changed { change: Change::Entered, .. } => "entered",
        EventKind::Changed { change: Change::Left, .. } => "left",
        EventKind::Changed { change: Change::GraceExpired, .. } => "grace expired",
        EventKind::Changed { change: Change::Removed, .. } => "removed",
        EventKind::Reconnecting { .. } => "lost",
        EventKind::Reconnected { .. } => "back",
        EventKind::HostChanged { .. } => "host changed",
        EventKind::LeaderChanged { .. } => "leader changed",
        EventKind::Rescheduled { .. } => "rescheduled",
        EventKind::Reminder { .. } => "reminded",
        EventKind::Ended { in_time: true } => "ended in time",
        EventKind::Ended { in_time: false } => "ended early",
        EventKind::Message(_) => "message",
        EventKind::Replaced => "replaced",
        EventKind::Removed => "entry removed",
    }
}

fn call_outcomes(call: &Call) -> Vec<&'static str> {
    match &call.outcome {
        Outcome::Joined { ack, .. } => {
            let ways = [(ack.first, "first"), (ack.recovered, "recovered")];
            ways.into_iter().filter(|(is_so, _)| *is_so).map(|(_, way)| way).collect()
        }
        Outcome::JoinRefused(code) | Outcome::Changed(Err(code)) => vec![ErrorCode::as_str(*code)],
        Outcome::Read { view: Some(_), .. } => vec!["read"],
        Outcome::Read { view: None, .. } => vec!["read while not live"],
        Outcome::Closed { .. } => vec!["closed"],
        Outcome::Sent { .. } => vec!["sent"],
        Outcome::Messages { messages, .. } if !messages.is_empty() => vec!["messages read"],
        Outcome::Messages { .. } => vec!["no messages"],
        Outcome::Changed(Ok(())) => vec!["changed"],
        Outcome::Failed(_) => vec!["failed"],
    }
}

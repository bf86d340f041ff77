//! How often what happened: a generator that never gets somewhere proves nothing about it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use rollcall_protocol::ErrorCode;

use crate::{
    event::{Change, Event, News, Reason},
    room::Way,
    service::{Action, Answer},
    world::{Step, World},
};

static TALLY: Mutex<Tally> = Mutex::new(Tally { steps: BTreeMap::new(), outcomes: BTreeMap::new() });

#[derive(Default)]
pub struct Tally {
    steps: BTreeMap<&'static str, u64>,
    outcomes: BTreeMap<&'static str, u64>,
}

/// What every full run must get to.
const EXPECTED: &[&str] = &[
    "began",
    "entered",
    "recovered",
    "took over",
    "came beside",
    "new member of many",
    "answered alike",
    "left",
    "grace expired",
    "removed",
    "host changed",
    "leader changed",
    "rescheduled",
    "reminded",
    "ended in time",
    "ended early",
    "replaced",
    "put out",
    "lost",
    "lease lapsed",
    "swept",
    "ALREADY_JOINED",
    "ENTRY_CLOSED",
    "NOT_A_MEMBER",
    "NO_SUCH_ROOM",
    "ROOM_FULL",
    "SESSION_ENDED",
    "TOO_MANY_CONNECTIONS",
];

pub fn tally() -> MutexGuard<'static, Tally> {
    TALLY.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Tally {
    pub fn count(&mut self, step: &Step, world: &World) {
        *self.steps.entry(kind(&step.action)).or_default() += 1;
        let events = world.events().into_iter().flatten();
        let outcomes = events.map(|event| told(event, &step.action)).chain(answered(&world.answer));
        for outcome in outcomes {
            *self.outcomes.entry(outcome).or_default() += 1;
        }
    }

    pub fn steps(&self) -> u64 {
        self.steps.values().sum()
    }

    /// What should have happened and never did.
    pub fn missing(&self) -> Vec<&'static str> {
        EXPECTED.iter().copied().filter(|outcome| !self.outcomes.contains_key(outcome)).collect()
    }

    pub fn in_words(&self) -> String {
        format!("{} | {}", in_words(&self.steps), in_words(&self.outcomes))
    }
}

fn in_words(counts: &BTreeMap<&str, u64>) -> String {
    let counts: Vec<String> = counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
    counts.join(", ")
}

fn kind(action: &Action) -> &'static str {
    match action {
        Action::Join { reads_old: true, .. } => "join that read an old definition",
        Action::Join { join, .. } if join.replaces.is_some() => "join again by the bridge",
        Action::Join { join, .. } if join.resumes.is_some() => "resume",
        Action::Join { .. } => "join",
        Action::JoinAgain(_) => "copy of a join",
        Action::GiveUp(_) => "join given up",
        Action::Leave(_) => "leave",
        Action::Disconnect(_) => "disconnect",
        Action::Heartbeat(_) => "heartbeat",
        Action::Goodbye(_) => "goodbye",
        Action::Sweep => "sweep",
        Action::Define { dies: true, .. } => "half a change",
        Action::Define { .. } => "change",
        Action::DefineElsewhere { .. } => "change elsewhere",
        Action::Undefine(_) => "end",
        Action::Read { .. } => "read",
        Action::Attendance(_) => "attendance",
    }
}

fn answered(answer: &Answer) -> Option<&'static str> {
    match answer {
        Answer::Welcome(welcome) => Some(match welcome.way {
            Way::Began => "began",
            Way::Entered { .. } => "entered",
            Way::Recovered => "recovered",
            Way::Replaced => "took over",
            Way::CameBeside => "came beside",
            Way::WasThere => "answered alike",
        }),
        Answer::Refused(code) => Some(ErrorCode::as_str(*code)),
        Answer::Swept(swept) if swept.settled > 0 => Some("swept"),
        _ => None,
    }
}

fn told(event: &Event, action: &Action) -> &'static str {
    match &event.news {
        News::Started { .. } => "started",
        News::Changed { change: Change::Entered, roster: None, .. } => "new member of many",
        News::Changed { change: Change::Entered, .. } => "new member",
        News::Changed { change: Change::Left, .. } => "left",
        News::Changed { change: Change::GraceExpired, .. } => "grace expired",
        News::Changed { change: Change::Removed, .. } => "removed",
        News::Reconnecting { .. } if matches!(action, Action::Disconnect(_)) => "lost",
        News::Reconnecting { .. } => "lease lapsed",
        News::Reconnected { .. } => "reconnected",
        News::HostChanged { .. } => "host changed",
        News::LeaderChanged { .. } => "leader changed",
        News::Reminder { .. } => "reminded",
        News::Rescheduled { .. } => "rescheduled",
        News::Ended(Reason::Time) => "ended in time",
        News::Ended(Reason::Ended) => "ended early",
        News::Replaced => "replaced",
        News::Removed => "put out",
    }
}

//! Counts of what happened: the run proves nothing about a case that the generator never reaches.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use rollcall_protocol::{ErrorCode, code::Editors};

use crate::{
    chat::ChatReply,
    code::CodeReply,
    event::{Change, Event, EventKind, Reason},
    join::JoinKind,
    service::{Action, Reply},
    world::{Step, World},
};

static COUNTS: Mutex<Counts> = Mutex::new(Counts { steps: BTreeMap::new(), outcomes: BTreeMap::new() });

#[derive(Default)]
pub struct Counts {
    steps: BTreeMap<&'static str, u64>,
    outcomes: BTreeMap<&'static str, u64>,
}

/// Outcomes that every full run must reach.
const EXPECTED: &[&str] = &[
    "started",
    "entered",
    "recovered",
    "took over",
    "added a connection",
    "new member above the roster limit",
    "repeated",
    "left",
    "grace expired",
    "removed",
    "updated",
    "host changed",
    "leader changed",
    "leader gone",
    "rescheduled",
    "reminded",
    "completed a change",
    "ended in time",
    "ended early",
    "replaced",
    "entry removed",
    "notified",
    "timer changed",
    "timer changed by an operator",
    "phase changed",
    "several phases over",
    "member updated",
    "status as it was",
    "repeated a status",
    "message sent",
    "message deleted",
    "message deleted by an operator",
    "muted",
    "unmuted",
    "slow mode",
    "read a part of the chat",
    "read messages",
    "repeated a message",
    "snippet shared",
    "snippet changed",
    "snippet changed by another",
    "snippet closed",
    "snippet closed by an operator",
    "repeated a snippet",
    "read a snippet",
    "listed snippets",
    "conflict",
    "began a document",
    "opened a document",
    "document changed",
    "document merged",
    "awareness shown",
    "read a document",
    "EDITED_TOGETHER",
    "NOT_TOGETHER",
    "NO_SUCH_SNIPPET",
    "TOO_MANY_SNIPPETS",
    "MUTED",
    "SLOW_MODE",
    "NO_SUCH_MESSAGE",
    "repeated a command",
    "timer as it was",
    "listed a part",
    "listed rooms",
    "lost",
    "lease ended",
    "swept",
    "ALREADY_JOINED",
    "ENTRY_CLOSED",
    "NOT_A_MEMBER",
    "NO_SUCH_MEMBER",
    "NO_SUCH_ROOM",
    "FEATURE_OFF",
    "NOT_ALLOWED",
    "NOT_IN_ROOM",
    "NO_TIMER",
    "TIMER_STATE",
    "NOT_LIVE",
    "ROOM_FULL",
    "RATE_LIMITED",
    "SESSION_ENDED",
    "TOO_MANY_CONNECTIONS",
];

pub fn counts() -> MutexGuard<'static, Counts> {
    COUNTS.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Counts {
    pub fn count(&mut self, step: &Step, world: &World) {
        *self.steps.entry(kind(&step.action)).or_default() += 1;
        let events = world.events().into_iter().flatten();
        let outcomes =
            events.map(|event| event_outcome(event, &step.action)).chain(reply_outcome(&world.reply));
        let outcomes = outcomes.chain(world.service.has_completed.then_some("completed a change"));
        for outcome in outcomes {
            *self.outcomes.entry(outcome).or_default() += 1;
        }
    }

    pub fn steps(&self) -> u64 {
        self.steps.values().sum()
    }

    /// Expected outcomes that never happened.
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
        Action::Join { reads_stale: true, .. } => "join with a stale definition",
        Action::Join { join, .. } if join.replaces.is_some() => "rejoin",
        Action::Join { join, .. } if join.resumes.is_some() => "resume",
        Action::Join { .. } => "join",
        Action::RepeatJoin(join) if join.refreshes > 0 => "refresh",
        Action::RepeatJoin(_) => "copy of a join",
        Action::AbandonJoin(_) => "abandoned join",
        Action::Leave(_) => "leave",
        Action::Disconnect(_) => "disconnect",
        Action::Heartbeat(_) => "heartbeat",
        Action::Stop(_) => "stop",
        Action::Sweep => "sweep",
        Action::Define { crash: Some(_), .. } | Action::Undefine { crash: Some(_), .. } => {
            "change that crashed"
        }
        Action::Arrive(_) => "late write",
        Action::Define { .. } => "change",
        Action::DefineExternally { .. } => "external change",
        Action::Undefine { .. } => "undefine",
        Action::Read { .. } => "read",
        Action::Attendance(_) => "attendance",
        Action::Kick { .. } => "kick",
        Action::Notify(_) => "notice",
        Action::Timer(_) => "timer",
        Action::Status(_) => "status",
        Action::Chat(_) => "chat",
        Action::Code(_) => "code",
        Action::List { .. } => "list",
    }
}

fn reply_outcome(reply: &Reply) -> Option<&'static str> {
    match reply {
        Reply::Ack(ack) => Some(match ack.kind {
            JoinKind::Started => "started",
            JoinKind::Entered { .. } => "entered",
            JoinKind::Recovered => "recovered",
            JoinKind::Replaced => "took over",
            JoinKind::Added => "added a connection",
            JoinKind::Repeated => "repeated",
        }),
        Reply::Refused(code) => Some(ErrorCode::as_str(*code)),
        Reply::Timer(ack) if ack.is_repeated => Some("repeated a command"),
        Reply::Timer(_) => Some("timer as it was"),
        Reply::Status(ack) if ack.is_repeated => Some("repeated a status"),
        Reply::Status(_) => Some("status as it was"),
        Reply::Chat(ChatReply::Done { message: Some(_), is_repeated: true, .. }) => {
            Some("repeated a message")
        }
        Reply::Chat(ChatReply::Done { .. }) => None,
        Reply::Chat(ChatReply::Read { more: true, .. }) => Some("read a part of the chat"),
        Reply::Chat(ChatReply::Read { items, .. }) => (!items.is_empty()).then_some("read messages"),
        Reply::Code(CodeReply::Done { snippet: Some(_), is_repeated: true, .. }) => {
            Some("repeated a snippet")
        }
        Reply::Code(CodeReply::Done { .. } | CodeReply::ClosedByOperator) => None,
        Reply::Code(CodeReply::Conflict { .. }) => Some("conflict"),
        Reply::Code(CodeReply::Content { snippet, .. }) if snippet.editors == Editors::Together => {
            Some("read a document")
        }
        Reply::Code(CodeReply::Content { .. }) => Some("read a snippet"),
        Reply::Code(CodeReply::Opened { .. }) => Some("opened a document"),
        Reply::Code(CodeReply::Edited { .. }) => None,
        Reply::Code(CodeReply::Listed { snippets, .. }) => {
            (!snippets.is_empty()).then_some("listed snippets")
        }
        Reply::Swept(swept) if swept.settled > 0 => Some("swept"),
        Reply::Listed(page) if page.next.is_some() => Some("listed a part"),
        Reply::Listed(page) if page.rooms.len() > 1 => Some("listed rooms"),
        _ => None,
    }
}

fn event_outcome(event: &Event, action: &Action) -> &'static str {
    match &event.kind {
        EventKind::Started { .. } => "room:started",
        EventKind::Changed { change: Change::Entered, roster: None, .. } => {
            "new member above the roster limit"
        }
        EventKind::Changed { change: Change::Entered, .. } => "new member",
        EventKind::Changed { change: Change::Left, .. } => "left",
        EventKind::Changed { change: Change::GraceExpired, .. } => "grace expired",
        EventKind::Changed { change: Change::Removed, .. } => "removed",
        EventKind::Changed { change: Change::Updated, .. } => "updated",
        EventKind::Reconnecting { .. } if matches!(action, Action::Disconnect(_)) => "lost",
        EventKind::Reconnecting { .. } => "lease ended",
        EventKind::Reconnected { .. } => "reconnected",
        EventKind::HostChanged { .. } => "host changed",
        EventKind::LeaderChanged { leader: None } => "leader gone",
        EventKind::LeaderChanged { .. } => "leader changed",
        EventKind::Reminder { .. } => "reminded",
        EventKind::Rescheduled { .. } => "rescheduled",
        EventKind::Ended(Reason::Time) => "ended in time",
        EventKind::Ended(Reason::Ended) => "ended early",
        EventKind::Replaced => "replaced",
        EventKind::Removed => "entry removed",
        EventKind::Notice => "notified",
        EventKind::TimerChanged { by: None, .. } => "timer changed by an operator",
        EventKind::TimerChanged { .. } => "timer changed",
        EventKind::PhaseChanged { phases: 1, .. } => "phase changed",
        EventKind::PhaseChanged { .. } => "several phases over",
        EventKind::MemberUpdated { .. } => "member updated",
        EventKind::Message { .. } => "message sent",
        EventKind::MessageDeleted { by: None, .. } => "message deleted by an operator",
        EventKind::MessageDeleted { .. } => "message deleted",
        EventKind::Muted { .. } => "muted",
        EventKind::Unmuted { .. } => "unmuted",
        EventKind::Slowed { .. } => "slow mode",
        EventKind::DocumentUpdated { word, .. } if word.is_long() => "document merged",
        EventKind::DocumentUpdated { .. } => "document changed",
        EventKind::DocumentAwareness { .. } => "awareness shown",
        EventKind::SnippetShared { snippet, .. } if snippet.editors == Editors::Together => {
            "began a document"
        }
        EventKind::SnippetShared { .. } => "snippet shared",
        EventKind::SnippetUpdated { snippet, .. } if snippet.author.user != snippet.updated_by.user => {
            "snippet changed by another"
        }
        EventKind::SnippetUpdated { .. } => "snippet changed",
        EventKind::SnippetClosed { by: None, .. } => "snippet closed by an operator",
        EventKind::SnippetClosed { .. } => "snippet closed",
    }
}

//! Whether what one room told and answered is something that the rules allow.
//!
//! | file | what it checks |
//! |---|---|
//! | `state` | each event by what came before it: who is in, who is host, when it ends |
//! | `replay` | sessions: their numbering, their beginning and their end |
//! | `answers` | what joins and reads were told, by the events |
//! | `attendance` | who was there, by the events and by the room's attendance |
//! | `order` | answers among each other, by when they were asked for |

mod answers;
mod attendance;
mod order;
mod replay;
mod state;
#[cfg(test)]
mod tests;

use std::fmt::Debug;

pub use self::attendance::{Stay, stays};
use crate::{call::Call, event::Event};

/// All that was told by one room, in order, all that it was asked, in any order, and its attendance in the end.
#[derive(Default)]
pub struct History {
    pub events: Vec<Event>,
    pub calls: Vec<Call>,
    pub stays: Vec<Stay>,
    /// How many find a place, besides the leader.
    pub capacity: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    SeqsRiseByOne,
    EpochsRise,
    SessionsBeginWithStarted,
    SessionsEndWithEnded,
    OneIsFirst,
    OnlyMembersLeave,
    OnlyOthersEnter,
    FullRoomsLetOnlyTheLeaderIn,
    RostersAreExact,
    OnlyThePresentAreLost,
    OnlyTheLostComeBack,
    GraceIsKept,
    LeadersChange,
    EndsAreRescheduled,
    OneReminderForEachEnd,
    HostIsElected,
    OnlyEndsClose,
    EntriesAreDismissedOnce,
    EntriesHaveAcks,
    AcksFitEvents,
    AcksAreAlike,
    AnswersAreExact,
    AnswersGoForward,
    AttendanceIsComplete,
    ClosedEntriesStayClosed,
    CallsAreAnswered,
}

#[derive(Debug)]
pub struct Violation {
    pub rule: Rule,
    /// What shows it.
    pub excerpt: String,
}

impl Violation {
    fn new(rule: Rule, excerpt: &impl Debug) -> Self {
        Self { rule, excerpt: format!("{excerpt:#?}") }
    }
}

pub fn check(history: &History) -> Result<(), Violation> {
    let past = replay::replay(&history.events, history.capacity)?;
    answers::check(&history.calls, &past)?;
    attendance::check(&history.stays, &past)?;
    order::check(&history.calls)
}

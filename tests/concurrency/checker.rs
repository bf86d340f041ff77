//! Checks whether the rules allow the events and replies of one room.
//!
//! | file | what it checks |
//! |---|---|
//! | `state` | each event against the room's state: members, host, end |
//! | `replay` | sessions: sequence numbers, start and end |
//! | `replies` | replies to joins and reads against the events |
//! | `attendance` | the room's attendance against the events |
//! | `messages` | messages, and replies that show them |
//! | `order` | replies against each other, by the times of the calls |

mod attendance;
mod messages;
mod order;
mod replay;
mod replies;
mod state;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fmt::Debug};

pub use self::attendance::{Stay, stays};
use crate::{call::Call, event::Event};

/// All events of one room in order, all calls in any order, and the attendance at the end.
#[derive(Default)]
pub struct History {
    pub events: Vec<Event>,
    pub calls: Vec<Call>,
    pub stays: Vec<Stay>,
    /// Entries whose first ack may be lost.
    pub unsure: BTreeSet<String>,
    /// Most members, besides the leader.
    pub capacity: Option<u32>,
}

impl History {
    /// The number of replies whose last event was not published.
    pub fn count_lost(&self) -> usize {
        let published: BTreeSet<_> = self.events.iter().map(|event| (event.epoch, event.seq)).collect();
        let replies = self.calls.iter().filter_map(order::view);
        replies.filter(|place| !published.contains(place)).count()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    SeqsRiseByOne,
    EpochsRise,
    SessionsBeginWithStarted,
    SessionsEndWithEnded,
    OneMemberIsFirst,
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
    EntriesAreClosedOnce,
    EntriesHaveAcks,
    AcksFitEvents,
    AcksAreAlike,
    RepliesAreExact,
    RepliesGoForward,
    AttendanceIsComplete,
    MessagesArePublishedOnce,
    MessagesAreShownAsPublished,
    ClosedEntriesStayClosed,
    CallsSucceed,
}

#[derive(Debug)]
pub struct Violation {
    pub rule: Rule,
    /// The events or calls that show the violation.
    pub excerpt: String,
}

impl Violation {
    fn new(rule: Rule, excerpt: &impl Debug) -> Self {
        Self { rule, excerpt: format!("{excerpt:#?}") }
    }
}

pub fn check(history: &History) -> Result<(), Violation> {
    let replay = replay::replay(&history.events, history.capacity)?;
    replies::check(&history.calls, &history.unsure, &replay)?;
    attendance::check(&history.stays, &replay)?;
    messages::check(&history.calls, &replay)?;
    order::check(&history.calls)
}

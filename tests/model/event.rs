//! Events that a room publishes to its members.

use rollcall_protocol::timer::Timer;

use crate::{
    chat::Message,
    code::Snippet,
    document::Word,
    ids::{EntryId, PublicId, Time, User},
    status::About,
};

/// One event, in its session's numbering.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub epoch: u64,
    pub seq: u64,
    pub room: PublicId,
    pub to: Recipients,
    pub kind: EventKind,
}

/// Members who get an event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Recipients {
    Everybody,
    AllBut(EntryId),
    Only(EntryId),
}

#[derive(Debug, Clone, PartialEq)]
pub enum EventKind {
    Started { at: Time, end_at: Time, leader: Option<PublicId>, host: PublicId, roster: Roster },
    Changed { change: Change, users: Vec<Person>, roster: Roster, count: usize },
    Reconnecting { person: Person, grace_until: Time },
    Reconnected { person: Person, roster: Roster, count: usize },
    HostChanged { host: Person },
    LeaderChanged { leader: Option<PublicId> },
    Reminder { end_at: Time, remain: Time },
    Rescheduled { end_at: Time, remain: Time },
    Ended(Reason),
    Replaced,
    Removed,
    Notice,
    TimerChanged { timer: Timer, by: Option<Person>, now: Time },
    PhaseChanged { timer: Timer, phases: u32, now: Time },
    MemberUpdated { person: Person, about: About, now: Time },
    Message { message: Message, now: Time },
    MessageDeleted { number: u64, deletes: u64, by: Option<Person>, now: Time },
    Muted { user: PublicId, until: Option<Time>, by: Option<Person>, now: Time },
    Unmuted { user: PublicId, by: Option<Person>, now: Time },
    SnippetShared { snippet: Snippet, now: Time },
    SnippetUpdated { snippet: Snippet, now: Time },
    SnippetClosed { number: u64, by: Option<Person>, now: Time },
    DocumentUpdated { number: u64, word: Word, user: PublicId, edit: u64, now: Time },
    DocumentAwareness { number: u64, user: PublicId, now: Time },
    Slowed { interval: Time, by: Option<Person>, now: Time },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    Entered,
    Left,
    GraceExpired,
    Removed,
    /// Another name.
    Updated,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    Time,
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Person {
    pub user: User,
    /// Whether the token of the last join has the id as a number.
    pub is_number: bool,
    pub name: &'static str,
}

impl Person {
    pub fn id(&self) -> PublicId {
        PublicId { text: self.user, is_number: self.is_number }
    }
}

/// The members in order of entering; none above the roster limit.
pub type Roster = Option<Vec<Listed>>;

#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    pub person: Person,
    pub joined_at: Time,
    /// End of the grace period of a member without a connection.
    pub grace_until: Option<Time>,
    pub about: About,
}

impl EventKind {
    /// The document whose editors get the event, if others do not.
    pub fn document(&self) -> Option<u64> {
        match self {
            Self::DocumentUpdated { number, .. } | Self::DocumentAwareness { number, .. } => Some(*number),
            _ => None,
        }
    }

    /// Whether the bridge closes the sockets that get the event.
    pub fn closes(&self) -> bool {
        matches!(self, Self::Ended(_) | Self::Replaced | Self::Removed)
    }
}

//! What a room tells its members.

use crate::ids::{Entry, Time, User};

/// One event, in its session's numbering.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub epoch: u64,
    pub seq: u64,
    pub to: To,
    pub news: News,
}

/// Who gets it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum To {
    Everybody,
    AllBut(Entry),
    Only(Entry),
}

#[derive(Debug, Clone, PartialEq)]
pub enum News {
    Started { at: Time, end_at: Time, leader: User, host: User, roster: Roster },
    Changed { change: Change, users: Vec<Person>, roster: Roster, count: usize },
    Reconnecting { person: Person, grace_until: Time },
    Reconnected { person: Person, roster: Roster, count: usize },
    HostChanged { host: Person },
    LeaderChanged { leader: User },
    Reminder { end_at: Time, remain: Time },
    Rescheduled { end_at: Time, remain: Time },
    Ended(Reason),
    Replaced,
    Removed,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    Entered,
    Left,
    GraceExpired,
    Removed,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    Time,
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Person {
    pub user: User,
    pub name: &'static str,
}

/// Everybody in the room, in the order in which they came; none if they are too many to list.
pub type Roster = Option<Vec<Listed>>;

#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    pub person: Person,
    pub joined_at: Time,
    /// Until when a lost connection is waited for.
    pub grace_until: Option<Time>,
}

impl News {
    /// Whether whoever gets it is put out.
    pub fn closes(&self) -> bool {
        matches!(self, Self::Ended(_) | Self::Replaced | Self::Removed)
    }
}

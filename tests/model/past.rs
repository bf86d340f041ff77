//! What a room keeps also when no session is live in it.

use std::collections::BTreeMap;

use crate::{
    event::{Event, Person},
    ids::{Entry, MEMORY, Time},
    live::Member,
};

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Past {
    /// Entries that are over, and when they were found to be. Old ones are forgotten when the next is closed.
    pub closed: BTreeMap<Entry, Time>,
    /// Stays that are over, the oldest end first.
    pub stays: Vec<Stay>,
    /// What was told since somebody last listened.
    pub events: Vec<Event>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Stay {
    pub person: Person,
    pub epoch: u64,
    pub entered_at: Time,
    pub left_at: Time,
    pub present: Time,
    pub drops: u32,
    /// None while the member is in the room.
    pub ending: Option<Ending>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ending {
    Left,
    GraceExpired,
    Removed,
    Ended,
}

impl Stay {
    /// A member's stay until the given time, or until the connection was lost.
    pub fn of(epoch: u64, member: &Member, until: Time) -> Self {
        let left_at = member.lost_at.unwrap_or(until);
        Self {
            person: member.person,
            epoch,
            entered_at: member.joined_at,
            left_at,
            present: left_at - member.joined_at - member.away,
            drops: member.drops,
            ending: None,
        }
    }
}

impl Past {
    pub fn close(&mut self, entry: Entry, now: Time) {
        self.closed.retain(|_, closed_at| *closed_at + MEMORY > now);
        self.closed.insert(entry, now);
    }

    pub fn attended(&mut self, epoch: u64, member: &Member, ending: Ending, until: Time) {
        self.stays.push(Stay { ending: Some(ending), ..Stay::of(epoch, member, until) });
    }
}

//! A room's state that outlives its sessions.

use std::collections::BTreeMap;

use crate::{
    event::{Event, Person},
    ids::{CLOSED_ENTRY_TTL, EntryId, Time},
    live::Member,
};

#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// Closed entries, and when they were closed. Closing another entry removes old ones.
    pub closed: BTreeMap<EntryId, Time>,
    /// Stays that are over, ordered by their end.
    pub stays: Vec<Stay>,
    /// Events since the last step began.
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

impl History {
    pub fn close(&mut self, entry: EntryId, now: Time) {
        self.closed.retain(|_, closed_at| *closed_at + CLOSED_ENTRY_TTL > now);
        self.closed.insert(entry, now);
    }

    pub fn record_stay(&mut self, epoch: u64, member: &Member, ending: Ending, until: Time) {
        self.stays.push(Stay { ending: Some(ending), ..Stay::of(epoch, member, until) });
    }
}

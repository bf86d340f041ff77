//! A room's state that outlives its sessions.

use std::collections::BTreeMap;

use rollcall_protocol::status::Status;

use crate::{
    event::{Event, Person},
    ids::{ATTENDANCE_LIMIT, CLOSED_ENTRY_TTL, EntryId, GRACE, Time, User},
    live::Member,
};

#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// Closed entries, and when they were closed. Closing another entry removes old ones.
    pub closed: BTreeMap<EntryId, Time>,
    /// Users with stays that are over.
    pub attendees: BTreeMap<User, Attendee>,
    /// Events since the last step began.
    pub events: Vec<Event>,
}

/// A user and the user's stays, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Attendee {
    pub person: Person,
    pub stays: Vec<Stay>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Stay {
    pub epoch: u64,
    pub entered_at: Time,
    pub left_at: Time,
    pub present: Time,
    pub drops: u32,
    /// How long the user had which status.
    pub statuses: BTreeMap<Status, Time>,
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
            epoch,
            entered_at: member.joined_at,
            left_at,
            present: left_at
                - member.joined_at
                - member.absences.iter().map(|(lost, back)| back - lost).sum::<Time>(),
            drops: member.drops,
            statuses: member.status_times(left_at),
            ending: None,
        }
    }

    /// Whether the user came back as soon as after a lost connection.
    fn is_continued_by(&self, next: &Self) -> bool {
        let is_back_in_time = next.entered_at < self.left_at + GRACE;
        self.epoch == next.epoch && self.ending != Some(Ending::Removed) && is_back_in_time
    }

    /// Both stays as one. The time between them is one more drop.
    fn merge(mut self, next: Self) -> Self {
        for (status, time) in &next.statuses {
            *self.statuses.entry(*status).or_default() += time;
        }
        Self {
            entered_at: self.entered_at,
            present: self.present + next.present,
            drops: self.drops + next.drops + 1,
            statuses: self.statuses,
            ..next
        }
    }
}

impl Attendee {
    fn add(&mut self, person: Person, stay: Stay) {
        self.person = person;
        let stay = match self.stays.pop_if(|last| last.is_continued_by(&stay)) {
            Some(last) => last.merge(stay),
            None => stay,
        };
        self.stays.push(stay);
    }

    /// Merges the oldest stays until the number is that of the user's share.
    fn keep_share(&mut self, share: usize) {
        while self.stays.len() > share {
            let oldest = self.stays.remove(0);
            let next = self.stays.remove(0);
            self.stays.insert(0, oldest.merge(next));
        }
    }
}

impl History {
    pub fn close(&mut self, entry: EntryId, now: Time) {
        self.closed.retain(|_, closed_at| *closed_at + CLOSED_ENTRY_TTL > now);
        self.closed.insert(entry, now);
    }

    pub fn record_stay(&mut self, epoch: u64, member: &Member, ending: Ending, until: Time) {
        let share = ATTENDANCE_LIMIT / self.attendees.len().max(1);
        let mut attendee =
            self.attendee(member, Stay { ending: Some(ending), ..Stay::of(epoch, member, until) });
        attendee.keep_share(share);
        self.attendees.insert(member.person.user, attendee);
    }

    /// The user's stays with one more.
    pub fn attendee(&self, member: &Member, stay: Stay) -> Attendee {
        let known = self.attendees.get(member.person.user).cloned();
        let mut attendee = known.unwrap_or(Attendee { person: member.person, stays: Vec::new() });
        attendee.add(member.person, stay);
        attendee
    }
}

//! Who was in the room, by the events and by its attendance.

use std::collections::BTreeMap;

use rollcall_protocol::attendance::{Attendance, Ending};

use super::{Rule, Violation, replay::Past};
use crate::event::{Change, Event, News};

/// One stay of a member, over by now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stay {
    pub epoch: u64,
    pub user: String,
    /// How often the connection was lost.
    pub drops: u32,
    /// Left, grace expired, removed or ended; none while the member is in the room.
    pub ending: Option<String>,
}

pub fn stays(attendance: &Attendance) -> Vec<Stay> {
    let attendees = attendance.attendees.iter();
    let stays = attendees.flat_map(|attendee| attendee.stays.iter().map(move |stay| (attendee, stay)));
    let stays = stays.map(|(attendee, stay)| Stay {
        epoch: stay.epoch,
        user: attendee.user_id.to_string(),
        drops: stay.drops,
        ending: stay.ending.map(named),
    });
    stays.collect()
}

fn named(ending: Ending) -> String {
    format!("{ending:?}")
}

pub fn check(attended: &[Stay], past: &Past) -> Result<(), Violation> {
    let sessions = past.sessions.values();
    let mut told: Vec<Stay> =
        sessions.flat_map(|steps| stays_of(steps.iter().map(|step| step.event))).collect();
    let mut attended = attended.to_vec();
    told.sort();
    attended.sort();
    if told == attended {
        return Ok(());
    }
    let only_told: Vec<_> = told.iter().filter(|stay| !attended.contains(stay)).collect();
    let only_attended: Vec<_> = attended.iter().filter(|stay| !told.contains(stay)).collect();
    Err(Violation::new(Rule::AttendanceIsComplete, &(only_told, only_attended)))
}

/// The stays in one session.
fn stays_of<'a>(events: impl Iterator<Item = &'a Event>) -> Vec<Stay> {
    let mut drops: BTreeMap<&str, u32> = BTreeMap::new();
    let mut stays = Vec::new();
    for event in events {
        let mut end = |user: &str, drops, ending| {
            let (user, ending) = (user.to_owned(), Some(named(ending)));
            stays.push(Stay { epoch: event.epoch, user, drops, ending });
        };
        match &event.news {
            News::Started { host, .. } => drop(drops.insert(host, 0)),
            News::Changed { change, users, .. } => {
                for user in users {
                    match ending(*change) {
                        None => drop(drops.insert(user, 0)),
                        Some(ending) => end(user, drops.remove(user.as_str()).unwrap_or_default(), ending),
                    }
                }
            }
            News::Reconnecting { user, .. } => *drops.entry(user).or_default() += 1,
            News::Ended { .. } => drops.iter().for_each(|(user, drops)| end(user, *drops, Ending::Ended)),
            _ => {}
        }
    }
    stays
}

fn ending(change: Change) -> Option<Ending> {
    match change {
        Change::Entered => None,
        Change::Left => Some(Ending::Left),
        Change::GraceExpired => Some(Ending::GraceExpired),
        Change::Removed => Some(Ending::Removed),
    }
}

//! The room's attendance against the events.

use std::collections::BTreeMap;

use rollcall_protocol::attendance::{Attendance, Ending};

use super::{Rule, Violation, replay::Replay};
use crate::event::{Change, Event, EventKind};

/// One stay of a member, which is over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stay {
    pub epoch: u64,
    pub user: String,
    /// Number of lost connections.
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
        ending: stay.ending.map(name_of),
    });
    stays.collect()
}

fn name_of(ending: Ending) -> String {
    format!("{ending:?}")
}

pub fn check(recorded: &[Stay], replay: &Replay) -> Result<(), Violation> {
    let sessions = replay.sessions.values();
    let mut published: Vec<Stay> =
        sessions.flat_map(|steps| stays_of(steps.iter().map(|step| step.event))).collect();
    let mut recorded = recorded.to_vec();
    published.sort();
    recorded.sort();
    if published == recorded {
        return Ok(());
    }
    let only_published: Vec<_> = published.iter().filter(|stay| !recorded.contains(stay)).collect();
    let only_recorded: Vec<_> = recorded.iter().filter(|stay| !published.contains(stay)).collect();
    Err(Violation::new(Rule::AttendanceIsComplete, &(only_published, only_recorded)))
}

/// The stays in one session.
fn stays_of<'a>(events: impl Iterator<Item = &'a Event>) -> Vec<Stay> {
    let mut drops: BTreeMap<&str, u32> = BTreeMap::new();
    let mut stays = Vec::new();
    for event in events {
        let mut end = |user: &str, drops, ending| {
            let (user, ending) = (user.to_owned(), Some(name_of(ending)));
            stays.push(Stay { epoch: event.epoch, user, drops, ending });
        };
        match &event.kind {
            EventKind::Started { host, .. } => drop(drops.insert(host, 0)),
            EventKind::Changed { change, users, .. } => {
                for user in users {
                    match ending(*change) {
                        None => drop(drops.insert(user, 0)),
                        Some(ending) => end(user, drops.remove(user.as_str()).unwrap_or_default(), ending),
                    }
                }
            }
            EventKind::Reconnecting { user, .. } => *drops.entry(user).or_default() += 1,
            EventKind::Ended { .. } => {
                drops.iter().for_each(|(user, drops)| end(user, *drops, Ending::Ended))
            }
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

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

/// Most stays of one user. The oldest one may hold any number of earlier ones.
const MAX_STAYS: usize = 100;

pub fn check(recorded: &[Stay], replay: &Replay) -> Result<(), Violation> {
    let sessions = replay.sessions.values();
    let published = by_user(sessions.flat_map(|steps| stays_of(steps.iter().map(|step| step.event))));
    let recorded = by_user(recorded.iter().cloned());
    for user in published.keys().chain(recorded.keys()) {
        let of_user = |stays: &BTreeMap<String, Vec<Stay>>| stays.get(user).cloned().unwrap_or_default();
        let (published, recorded) = (of_user(&published), of_user(&recorded));
        if !is_record_of(&recorded, &published) {
            return Err(Violation::new(Rule::AttendanceIsComplete, &(published, recorded)));
        }
    }
    Ok(())
}

fn by_user(stays: impl Iterator<Item = Stay>) -> BTreeMap<String, Vec<Stay>> {
    let mut by_user = BTreeMap::<String, Vec<Stay>>::new();
    for stay in stays {
        by_user.entry(stay.user.clone()).or_default().push(stay);
    }
    by_user
}

/// Whether each recorded stay holds one or more of the stays, all of them in order. Each merged stay adds a drop, so
/// the drops say how many stays a recorded one holds.
fn is_record_of(recorded: &[Stay], stays: &[Stay]) -> bool {
    let mut left = stays;
    for (index, stay) in recorded.iter().enumerate().rev() {
        let mut parts = (0..left.len()).rev().map(|start| left.split_at(start));
        let merged = parts.find(|(_, part)| count_drops(part) == stay.drops);
        let Some((rest, part)) = merged else { return false };
        let may_hold_any = index == 0 && recorded.len() == MAX_STAYS;
        if !may_hold_any && !is_one_stay(part) {
            return false;
        }
        if part.last().map(|last| (last.epoch, &last.ending)) != Some((stay.epoch, &stay.ending)) {
            return false;
        }
        left = rest;
    }
    left.is_empty()
}

fn count_drops(stays: &[Stay]) -> u32 {
    stays.iter().map(|stay| stay.drops + 1).sum::<u32>() - 1
}

/// Whether the stays may be one: of one session, and without a removal in between.
fn is_one_stay(stays: &[Stay]) -> bool {
    let removed = Some(name_of(Ending::Removed));
    stays.windows(2).all(|pair| pair[0].epoch == pair[1].epoch && pair[0].ending != removed)
}

/// A member who is in the room.
#[derive(Default)]
struct Present {
    drops: u32,
    is_lost: bool,
}

/// The stays in one session.
fn stays_of<'a>(events: impl Iterator<Item = &'a Event>) -> Vec<Stay> {
    let mut present: BTreeMap<&str, Present> = BTreeMap::new();
    let mut stays = Vec::new();
    for event in events {
        let mut end = |user: &str, drops, ending| {
            let (user, ending) = (user.to_owned(), Some(name_of(ending)));
            stays.push(Stay { epoch: event.epoch, user, drops, ending });
        };
        match &event.kind {
            EventKind::Started { host, .. } => drop(present.insert(host, Present::default())),
            EventKind::Changed { change, users, .. } => {
                for user in users {
                    match ending(*change) {
                        None => drop(present.insert(user, Present::default())),
                        Some(ending) => {
                            end(user, present.remove(user.as_str()).unwrap_or_default().drops, ending);
                        }
                    }
                }
            }
            EventKind::Reconnecting { user, .. } => {
                let member = present.entry(user).or_default();
                // Another event of a lost member says that a pause has prolonged the grace period.
                member.drops += u32::from(!std::mem::replace(&mut member.is_lost, true));
            }
            EventKind::Reconnected { user, .. } => present.entry(user).or_default().is_lost = false,
            EventKind::Ended { .. } => {
                present.iter().for_each(|(user, member)| end(user, member.drops, Ending::Ended));
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

//! Checks that the events of one connection are consistent: the numbering, the counts and the lists of members.

use std::collections::{BTreeSet, VecDeque};

use serde::Deserialize;
use serde_json::value::RawValue;

/// Events that are about one user alone and have no place in the numbering.
const UNNUMBERED: &[&str] = &["room:replaced", "room:removed", "error"];

/// Events that replace all that is known of the members.
const SNAPSHOTS: &[&str] = &["room:started", "room:state"];

/// How many events a fault tells of beside the one that shows it.
const TRAIL: usize = 12;

/// What contradicts what was promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The numbering has a gap, or goes on outside a room.
    Numbering(String),
    /// Counts, lists and changes of members disagree.
    Members(String),
    /// Something that no bridge should say.
    Speech(String),
}

/// What an ack of `room:join` and an event say of the room.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    epoch: u64,
    seq: u64,
    /// Where changes that were merged begin.
    first_seq: Option<u64>,
    count: Option<usize>,
    members: Option<Vec<User>>,
    change: Option<Change>,
    user_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
    user_id: String,
}

#[derive(Debug, Deserialize)]
struct Change {
    r#type: String,
    users: Vec<User>,
}

/// What one connection knows of the room that it is in.
#[derive(Debug)]
pub struct EventChecker {
    user: String,
    known: Option<Known>,
    /// The latest of what was told, in short.
    trail: VecDeque<String>,
}

#[derive(Debug)]
struct Known {
    epoch: u64,
    seq: u64,
    count: usize,
    /// Who is in the room; unknown in one above the roster limit.
    members: Option<BTreeSet<String>>,
}

impl EventChecker {
    /// For a user outside of every room.
    pub fn new(user: String) -> Self {
        Self { user, known: None, trail: VecDeque::new() }
    }

    /// The epoch and seq of what was told last.
    pub fn position(&self) -> Option<(u64, u64)> {
        self.known.as_ref().map(|known| (known.epoch, known.seq))
    }

    /// Takes the ack of a join that let the user in.
    pub fn entered(&mut self, ack: &RawValue) -> Result<(), Fault> {
        let told = read(ack)?;
        self.trail.clear();
        self.note("ack", &told);
        let known = Known::from(&told);
        let knows_itself = known.members.as_ref().is_none_or(|members| members.contains(&self.user));
        self.known = Some(known);
        if !knows_itself {
            return Err(Fault::Members(format!("{} is not in the list of its own ack", self.user)));
        }
        self.agree("the ack", &told)
    }

    /// Takes note that the user is in no room any more.
    pub fn left(&mut self) {
        self.known = None;
    }

    /// Takes an event.
    pub fn told(&mut self, event: &str, data: &RawValue) -> Result<(), Fault> {
        if UNNUMBERED.contains(&event) {
            return Ok(());
        }
        let told = read(data)?;
        self.note(event, &told);
        let Some(known) = &mut self.known else {
            return Err(Fault::Numbering(format!("{} hears of {event} outside a room", self.user)));
        };
        let expected = (known.epoch, known.seq + 1);
        let position = (told.epoch, told.first_seq.unwrap_or(told.seq));
        (known.epoch, known.seq) = (told.epoch, told.seq);
        if SNAPSHOTS.contains(&event) {
            *known = Known::from(&told);
        } else {
            known.apply(event, &told);
        }
        if event != "room:state" && position != expected {
            return Err(Fault::Numbering(format!(
                "{}: {event} at {position:?} instead of {expected:?}",
                self.user
            )));
        }
        self.agree(event, &told)
    }

    /// What follows from all before is what the event says itself. Afterwards the event's word counts, so that one
    /// fault is told once.
    fn agree(&mut self, event: &str, told: &Told) -> Result<(), Fault> {
        let Some(known) = &mut self.known else { return Ok(()) };
        let mut faults = Vec::new();
        if let Some(members) = told.members.as_deref().map(names) {
            if known.members.as_ref().is_some_and(|known| *known != members) {
                faults.push(format!("lists {members:?} instead of {:?}", known.members));
            }
            if told.count.is_some_and(|count| count != members.len()) {
                faults.push(format!("counts {:?} and lists {}", told.count, members.len()));
            }
            known.members = Some(members);
        }
        if let Some(count) = told.count {
            if count != known.count {
                faults.push(format!("counts {count} instead of {}", known.count));
            }
            known.count = count;
        }
        if faults.is_empty() {
            return Ok(());
        }
        let trail: Vec<&str> = self.trail.iter().map(String::as_str).collect();
        let (seq, faults, trail) = (told.seq, faults.join(", "), trail.join(" | "));
        Err(Fault::Members(format!("{}: {event} at {seq} {faults} after {trail}", self.user)))
    }

    fn note(&mut self, event: &str, told: &Told) {
        if self.trail.len() > TRAIL {
            self.trail.pop_front();
        }
        let Told { epoch, seq, count, change, user_id, .. } = told;
        let first = told.first_seq.unwrap_or(*seq);
        let change = change.as_ref().map(|change| format!("{} {:?}", change.r#type, names(&change.users)));
        let what = change.or_else(|| user_id.clone()).unwrap_or_default();
        self.trail.push_back(format!("{event} {epoch}/{first}..{seq} {what} count {count:?}"));
    }
}

impl Known {
    fn from(told: &Told) -> Self {
        let members = told.members.as_deref().map(names);
        let count = told.count.unwrap_or_default();
        Self { epoch: told.epoch, seq: told.seq, count, members }
    }

    fn apply(&mut self, event: &str, told: &Told) {
        if let Some(change) = &told.change {
            for user in &change.users {
                self.change(&change.r#type, &user.user_id);
            }
        }
        let is_of_member = matches!(event, "room:participantReconnecting" | "room:participantReconnected");
        if let (true, Some(user), Some(members)) = (is_of_member, &told.user_id, &mut self.members) {
            // Who is lost or back was there before; should that not be so, the lists will disagree.
            members.insert(user.clone());
        }
    }

    fn change(&mut self, kind: &str, user: &str) {
        let is_entry = kind == "entered";
        let is_news = match &mut self.members {
            Some(members) if is_entry => members.insert(user.to_owned()),
            Some(members) => members.remove(user),
            None => true,
        };
        match (is_news, is_entry) {
            (false, _) => {}
            (true, true) => self.count += 1,
            (true, false) => self.count = self.count.saturating_sub(1),
        }
    }
}

fn read(data: &RawValue) -> Result<Told, Fault> {
    serde_json::from_str(data.get()).map_err(|error| Fault::Speech(format!("{error} in {data}")))
}

fn names(users: &[User]) -> BTreeSet<String> {
    users.iter().map(|user| user.user_id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{json, value::to_raw_value};

    fn raw(value: serde_json::Value) -> Box<RawValue> {
        to_raw_value(&value).unwrap()
    }

    fn change(seq: u64, kind: &str, user: &str, members: &[&str]) -> Box<RawValue> {
        let members: Vec<_> = members.iter().map(|user| json!({"userId": user})).collect();
        let change = json!({"type": kind, "users": [{"userId": user}]});
        raw(json!({"epoch": 1, "seq": seq, "count": members.len(), "change": change, "members": members}))
    }

    fn kim_among(members: &[&str]) -> EventChecker {
        let mut checker = EventChecker::new("kim".to_owned());
        let members: Vec<_> = members.iter().map(|user| json!({"userId": user})).collect();
        checker
            .entered(&raw(json!({"epoch": 1, "seq": 5, "count": members.len(), "members": members})))
            .unwrap();
        checker
    }

    #[test]
    fn what_fits_together_has_no_faults() {
        let mut kim = kim_among(&["kim", "lea"]);
        let event = "room:participantsChanged";
        assert_eq!(kim.told(event, &change(6, "entered", "ali", &["ali", "kim", "lea"])), Ok(()));
        assert_eq!(kim.told(event, &change(7, "left", "lea", &["ali", "kim"])), Ok(()));
        assert_eq!(kim.told("room:replaced", &raw(json!({"groupId": "r"}))), Ok(()));
        assert_eq!(kim.position(), Some((1, 7)));
    }

    #[test]
    fn merged_changes_follow_from_their_first() {
        let mut kim = kim_among(&["kim"]);
        let merged = |first_seq: u64, seq: u64| {
            let change = json!({"type": "entered", "users": [{"userId": "ali"}, {"userId": "lea"}]});
            raw(json!({"epoch": 1, "firstSeq": first_seq, "seq": seq, "count": 3, "change": change}))
        };
        assert_eq!(kim.told("room:participantsChanged", &merged(6, 7)), Ok(()));
        assert_eq!(kim.position(), Some((1, 7)));
        assert!(matches!(kim.told("room:participantsChanged", &merged(9, 10)), Err(Fault::Numbering(_))));
    }

    #[test]
    fn a_gap_and_another_epoch_are_faults_and_a_state_is_none() {
        let mut kim = kim_among(&["kim"]);
        let notice = |epoch: u64, seq: u64| raw(json!({"epoch": epoch, "seq": seq, "text": ""}));
        assert!(matches!(kim.told("room:notice", &notice(1, 7)), Err(Fault::Numbering(_))));
        assert!(matches!(kim.told("room:notice", &notice(1, 7)), Err(Fault::Numbering(_))), "told twice");
        assert!(matches!(kim.told("room:notice", &notice(2, 8)), Err(Fault::Numbering(_))));
        let state = raw(json!({"epoch": 2, "seq": 20, "count": 1, "members": [{"userId": "kim"}]}));
        assert_eq!(kim.told("room:state", &state), Ok(()));
        assert_eq!(kim.told("room:notice", &notice(2, 21)), Ok(()));
    }

    #[test]
    fn a_list_that_does_not_follow_from_the_changes_is_a_fault() {
        let event = "room:participantsChanged";
        let mut kim = kim_among(&["kim", "lea"]);
        let ghost = change(6, "left", "lea", &["ali", "kim"]);
        assert!(matches!(kim.told(event, &ghost), Err(Fault::Members(_))));
        let mut lea = EventChecker::new("lea".to_owned());
        let ack = raw(json!({"epoch": 1, "seq": 5, "count": 1, "members": [{"userId": "kim"}]}));
        assert!(matches!(lea.entered(&ack), Err(Fault::Members(_))));
    }

    #[test]
    fn without_a_list_the_count_still_has_to_follow() {
        let mut kim = EventChecker::new("kim".to_owned());
        kim.entered(&raw(json!({"epoch": 1, "seq": 5, "count": 300}))).unwrap();
        let entered = |seq: u64, count: u64| {
            let change = json!({"type": "entered", "users": [{"userId": "ali"}]});
            raw(json!({"epoch": 1, "seq": seq, "count": count, "change": change}))
        };
        assert_eq!(kim.told("room:participantsChanged", &entered(6, 301)), Ok(()));
        assert!(matches!(kim.told("room:participantsChanged", &entered(7, 303)), Err(Fault::Members(_))));
    }

    #[test]
    fn nothing_is_told_outside_a_room() {
        let mut kim = kim_among(&["kim"]);
        kim.left();
        assert!(kim.told("room:notice", &raw(json!({"epoch": 1, "seq": 6}))).is_err());
    }
}

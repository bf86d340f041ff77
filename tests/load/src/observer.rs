//! Checks that the messages to one client about its room are consistent: the numbering, the counts and the lists of
//! members.

use std::collections::{BTreeSet, VecDeque};

use serde::Deserialize;
use serde_json::value::RawValue;

/// Events about one user alone, which have no number.
const UNNUMBERED_EVENTS: &[&str] = &["room:replaced", "room:removed", "error"];

/// Events that carry the whole state of the room.
const SNAPSHOT_EVENTS: &[&str] = &["room:started", "room:state"];

/// How many messages a violation quotes beside the one that shows it.
const HISTORY_LENGTH: usize = 12;

/// A message that contradicts the protocol or earlier messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// The numbering has a gap, or an event came outside of a room.
    Sequence(String),
    /// Counts, lists and changes of members disagree.
    Members(String),
    /// A message breaks the protocol.
    Protocol(String),
}

/// The fields of an event, or of the ack of a join, that describe the room.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    epoch: u64,
    seq: u64,
    /// The first number of merged changes.
    first_seq: Option<u64>,
    count: Option<usize>,
    members: Option<Vec<User>>,
    change: Option<Change>,
    user_id: Option<String>,
    /// The members of merged changes.
    users: Option<Vec<User>>,
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

/// Follows one client's view of its room.
#[derive(Debug)]
pub struct Observer {
    user: String,
    view: Option<RoomView>,
    /// The latest messages, in short.
    history: VecDeque<String>,
}

/// The room, as the messages so far describe it.
#[derive(Debug)]
struct RoomView {
    epoch: u64,
    seq: u64,
    count: usize,
    /// The users in the room; unknown above the roster limit.
    members: Option<BTreeSet<String>>,
}

impl Observer {
    /// Creates an observer for a user outside of every room.
    pub fn new(user: String) -> Self {
        Self { user, view: None, history: VecDeque::new() }
    }

    /// The epoch and the seq of the latest message, inside of a room.
    pub fn position(&self) -> Option<(u64, u64)> {
        self.view.as_ref().map(|view| (view.epoch, view.seq))
    }

    /// Checks the ack of a successful join.
    pub fn observe_join(&mut self, ack: &RawValue) -> Result<(), Violation> {
        let payload = parse(ack)?;
        self.history.clear();
        self.remember("ack", &payload);
        let view = RoomView::from(&payload);
        let lists_itself = view.members.as_ref().is_none_or(|members| members.contains(&self.user));
        self.view = Some(view);
        if !lists_itself {
            return Err(Violation::Members(format!("{} is not in the list of its own ack", self.user)));
        }
        self.compare_members("the ack", &payload)
    }

    /// Checks the ack of a join of the room that the user is in. It replaces events that came before it.
    pub fn observe_repeated_join(&mut self, ack: &RawValue) -> Result<(), Violation> {
        let known = self.position();
        self.observe_join(ack)?;
        match (known, self.position()) {
            (Some(known), Some(now)) if now < known => {
                Err(Violation::Sequence(format!("{}: an ack at {now:?} after {known:?}", self.user)))
            }
            _ => Ok(()),
        }
    }

    /// Records that the user left the room.
    pub fn observe_leave(&mut self) {
        self.view = None;
    }

    /// Checks an event.
    pub fn observe_event(&mut self, event: &str, data: &RawValue) -> Result<(), Violation> {
        if UNNUMBERED_EVENTS.contains(&event) {
            return Ok(());
        }
        let payload = parse(data)?;
        self.remember(event, &payload);
        let Some(view) = &mut self.view else {
            return Err(Violation::Sequence(format!("{} got {event} outside of a room", self.user)));
        };
        let expected = (view.epoch, view.seq + 1);
        let position = (payload.epoch, payload.first_seq.unwrap_or(payload.seq));
        (view.epoch, view.seq) = (payload.epoch, payload.seq);
        if SNAPSHOT_EVENTS.contains(&event) {
            *view = RoomView::from(&payload);
        } else {
            view.apply(event, &payload);
        }
        if event != "room:state" && position != expected {
            return Err(Violation::Sequence(format!(
                "{}: {event} at {position:?} instead of {expected:?}",
                self.user
            )));
        }
        self.compare_members(event, &payload)
    }

    /// Compares the view with the list and the count in a message. The view takes over both afterwards, so that one
    /// mistake is one violation.
    fn compare_members(&mut self, event: &str, payload: &Payload) -> Result<(), Violation> {
        let Some(view) = &mut self.view else { return Ok(()) };
        let mut differences = Vec::new();
        if let Some(members) = payload.members.as_deref().map(user_ids) {
            if view.members.as_ref().is_some_and(|known| *known != members) {
                differences.push(format!("lists {members:?} instead of {:?}", view.members));
            }
            if payload.count.is_some_and(|count| count != members.len()) {
                differences.push(format!("counts {:?} and lists {}", payload.count, members.len()));
            }
            view.members = Some(members);
        }
        if let Some(count) = payload.count {
            if count != view.count {
                differences.push(format!("counts {count} instead of {}", view.count));
            }
            view.count = count;
        }
        if differences.is_empty() {
            return Ok(());
        }
        let history: Vec<&str> = self.history.iter().map(String::as_str).collect();
        let (seq, differences, history) = (payload.seq, differences.join(", "), history.join(" | "));
        Err(Violation::Members(format!("{}: {event} at {seq} {differences} after {history}", self.user)))
    }

    fn remember(&mut self, event: &str, payload: &Payload) {
        if self.history.len() > HISTORY_LENGTH {
            self.history.pop_front();
        }
        let Payload { epoch, seq, count, change, user_id, .. } = payload;
        let first = payload.first_seq.unwrap_or(*seq);
        let change = change.as_ref().map(|change| format!("{} {:?}", change.r#type, user_ids(&change.users)));
        let subject = change.or_else(|| user_id.clone()).unwrap_or_default();
        self.history.push_back(format!("{event} {epoch}/{first}..{seq} {subject} count {count:?}"));
    }
}

impl RoomView {
    fn from(payload: &Payload) -> Self {
        let members = payload.members.as_deref().map(user_ids);
        let count = payload.count.unwrap_or_default();
        Self { epoch: payload.epoch, seq: payload.seq, count, members }
    }

    fn apply(&mut self, event: &str, payload: &Payload) {
        if let Some(change) = &payload.change {
            for user in &change.users {
                self.apply_change(&change.r#type, &user.user_id);
            }
        }
        let is_about_member = matches!(event, "room:participantReconnecting" | "room:participantReconnected");
        if let (true, Some(members)) = (is_about_member, &mut self.members) {
            // The users have to be members already; otherwise the next list differs from this one.
            members.extend(payload.user_id.iter().cloned());
            members.extend(payload.users.iter().flat_map(|users| user_ids(users)));
        }
    }

    fn apply_change(&mut self, kind: &str, user: &str) {
        if kind == "updated" {
            return;
        }
        let is_entry = kind == "entered";
        let is_effective = match &mut self.members {
            Some(members) if is_entry => members.insert(user.to_owned()),
            Some(members) => members.remove(user),
            None => true,
        };
        match (is_effective, is_entry) {
            (false, _) => {}
            (true, true) => self.count += 1,
            (true, false) => self.count = self.count.saturating_sub(1),
        }
    }
}

fn parse(data: &RawValue) -> Result<Payload, Violation> {
    serde_json::from_str(data.get()).map_err(|error| Violation::Protocol(format!("{error} in {data}")))
}

fn user_ids(users: &[User]) -> BTreeSet<String> {
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

    fn kim_among(members: &[&str]) -> Observer {
        let mut observer = Observer::new("kim".to_owned());
        let members: Vec<_> = members.iter().map(|user| json!({"userId": user})).collect();
        observer
            .observe_join(&raw(json!({"epoch": 1, "seq": 5, "count": members.len(), "members": members})))
            .unwrap();
        observer
    }

    #[test]
    fn consistent_messages_are_no_violation() {
        let mut kim = kim_among(&["kim", "lea"]);
        let event = "room:participantsChanged";
        assert_eq!(kim.observe_event(event, &change(6, "entered", "ali", &["ali", "kim", "lea"])), Ok(()));
        assert_eq!(kim.observe_event(event, &change(7, "left", "lea", &["ali", "kim"])), Ok(()));
        assert_eq!(kim.observe_event("room:replaced", &raw(json!({"groupId": "r"}))), Ok(()));
        assert_eq!(kim.position(), Some((1, 7)));
    }

    #[test]
    fn the_ack_of_a_repeated_join_replaces_events_and_never_goes_back() {
        let mut kim = kim_among(&["kim"]);
        let ack = |seq: u64| {
            raw(
                json!({"epoch": 1, "seq": seq, "count": 2, "members": [{"userId": "ali"}, {"userId": "kim"}]}),
            )
        };
        assert_eq!(kim.observe_repeated_join(&ack(8)), Ok(()));
        let left = change(9, "left", "ali", &["kim"]);
        assert_eq!(kim.observe_event("room:participantsChanged", &left), Ok(()));
        assert!(matches!(kim.observe_repeated_join(&ack(8)), Err(Violation::Sequence(_))));
    }

    #[test]
    fn merged_changes_continue_at_their_first_number() {
        let mut kim = kim_among(&["kim"]);
        let merged = |first_seq: u64, seq: u64| {
            let change = json!({"type": "entered", "users": [{"userId": "ali"}, {"userId": "lea"}]});
            raw(json!({"epoch": 1, "firstSeq": first_seq, "seq": seq, "count": 3, "change": change}))
        };
        assert_eq!(kim.observe_event("room:participantsChanged", &merged(6, 7)), Ok(()));
        assert_eq!(kim.position(), Some((1, 7)));
        assert!(matches!(
            kim.observe_event("room:participantsChanged", &merged(9, 10)),
            Err(Violation::Sequence(_))
        ));
    }

    #[test]
    fn a_gap_and_another_epoch_are_violations_and_a_state_is_none() {
        let mut kim = kim_among(&["kim"]);
        let notice = |epoch: u64, seq: u64| raw(json!({"epoch": epoch, "seq": seq, "text": ""}));
        assert!(matches!(kim.observe_event("room:notice", &notice(1, 7)), Err(Violation::Sequence(_))));
        assert!(
            matches!(kim.observe_event("room:notice", &notice(1, 7)), Err(Violation::Sequence(_))),
            "sent twice"
        );
        assert!(matches!(kim.observe_event("room:notice", &notice(2, 8)), Err(Violation::Sequence(_))));
        let state = raw(json!({"epoch": 2, "seq": 20, "count": 1, "members": [{"userId": "kim"}]}));
        assert_eq!(kim.observe_event("room:state", &state), Ok(()));
        assert_eq!(kim.observe_event("room:notice", &notice(2, 21)), Ok(()));
    }

    #[test]
    fn a_list_that_contradicts_the_changes_is_a_violation() {
        let event = "room:participantsChanged";
        let mut kim = kim_among(&["kim", "lea"]);
        let ghost = change(6, "left", "lea", &["ali", "kim"]);
        assert!(matches!(kim.observe_event(event, &ghost), Err(Violation::Members(_))));
        let mut lea = Observer::new("lea".to_owned());
        let ack = raw(json!({"epoch": 1, "seq": 5, "count": 1, "members": [{"userId": "kim"}]}));
        assert!(matches!(lea.observe_join(&ack), Err(Violation::Members(_))));
    }

    #[test]
    fn without_a_list_the_count_is_compared() {
        let mut kim = Observer::new("kim".to_owned());
        kim.observe_join(&raw(json!({"epoch": 1, "seq": 5, "count": 300}))).unwrap();
        let entered = |seq: u64, count: u64| {
            let change = json!({"type": "entered", "users": [{"userId": "ali"}]});
            raw(json!({"epoch": 1, "seq": seq, "count": count, "change": change}))
        };
        assert_eq!(kim.observe_event("room:participantsChanged", &entered(6, 301)), Ok(()));
        assert!(matches!(
            kim.observe_event("room:participantsChanged", &entered(7, 303)),
            Err(Violation::Members(_))
        ));
    }

    #[test]
    fn an_event_outside_of_a_room_is_a_violation() {
        let mut kim = kim_among(&["kim"]);
        kim.observe_leave();
        assert!(kim.observe_event("room:notice", &raw(json!({"epoch": 1, "seq": 6}))).is_err());
    }
}

//! Bursts of changes in a room. When a class begins, everybody enters within moments, and each entry comes with the
//! whole list of members: what everybody gets would grow with the square of the room.
//!
//! The first change after a quiet moment goes out at once. Those that follow it closely are held back for a little
//! while and go out together: neighbours of one kind as one event, and the list of members only once. Anything else
//! that happens in the room first lets out what is held, so the order stays.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use rollcall_protocol::{RoomId, fanout::Envelope};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use tokio::time::Instant;

use crate::{
    hub::{Delivery, Notice},
    telemetry::metrics,
};

/// How long changes are held back: shorter than anybody notices in a list of members.
const WINDOW: Duration = Duration::from_millis(50);

/// How many changes go out together at the most.
const MAX_CHANGES: usize = 64;

const CHANGED: &str = "room:participantsChanged";
const RECONNECTING: &str = "room:participantReconnecting";
const RECONNECTED: &str = "room:participantReconnected";

/// Changes that go out together, one after the other without a gap.
pub(crate) struct Burst {
    /// Each by itself, for who knows some of them already.
    pub(crate) events: Vec<Arc<Delivery>>,
    /// All of them together.
    pub(crate) merged: Vec<Arc<Delivery>>,
}

/// Holds changes back, for all rooms. Whoever drops it drops what it holds, and has to read the rooms once more.
#[derive(Default)]
pub(crate) struct Bursts {
    /// The rooms in which something has just changed, with what is held back in each.
    held: HashMap<RoomId, Vec<Arc<Delivery>>>,
    /// When to look at each of them, in order: every wait is equally long.
    windows: VecDeque<(Instant, RoomId)>,
}

impl Bursts {
    /// Takes an event of a room. Returns what is to go out now.
    pub(crate) fn take(&mut self, room: &RoomId, envelope: Envelope, now: Instant) -> Vec<Notice> {
        let is_change = is_change(&envelope);
        let delivery = Arc::new(Delivery::new(envelope));
        let Some(held) = self.held.get_mut(room) else {
            if is_change {
                self.held.insert(room.clone(), Vec::new());
                self.windows.push_back((now + WINDOW, room.clone()));
            }
            return vec![Notice::Event(delivery)];
        };
        if !is_change {
            let mut notices = let_out(held);
            notices.push(Notice::Event(delivery));
            return notices;
        }
        let follows = held.last().is_none_or(|last| is_next(&last.envelope, &delivery.envelope));
        let mut notices = if follows { Vec::new() } else { let_out(held) };
        held.push(delivery);
        if held.len() >= MAX_CHANGES {
            notices.extend(let_out(held));
        }
        notices
    }

    /// When something may have been held back for long enough.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.windows.front().map(|(due, _)| *due)
    }

    /// What has been held back for long enough.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<(RoomId, Notice)> {
        let mut out = Vec::new();
        while let Some((_, room)) = self.windows.pop_front_if(|(due, _)| *due <= now) {
            let Some(held) = self.held.get_mut(&room) else { continue };
            if held.is_empty() {
                // Quiet again.
                self.held.remove(&room);
                continue;
            }
            out.extend(let_out(held).into_iter().map(|notice| (room.clone(), notice)));
            self.windows.push_back((now + WINDOW, room));
        }
        out
    }
}

/// Whether an event is about members coming and going, and nothing else.
fn is_change(envelope: &Envelope) -> bool {
    let is_of_all = envelope.only.is_none() && !envelope.closes;
    is_of_all && matches!(envelope.event.as_str(), CHANGED | RECONNECTING | RECONNECTED)
}

fn is_next(last: &Envelope, next: &Envelope) -> bool {
    (last.epoch, last.seq + 1) == (next.epoch, next.seq)
}

fn let_out(held: &mut Vec<Arc<Delivery>>) -> Vec<Notice> {
    let events = std::mem::take(held);
    if events.len() < 2 {
        return events.into_iter().map(Notice::Event).collect();
    }
    match merge(&events) {
        Ok(merged) => {
            metrics::events_merged(events.len() - merged.len());
            let merged = merged.into_iter().map(Arc::new).collect();
            vec![Notice::Burst(Arc::new(Burst { events, merged }))]
        }
        Err(error) => {
            tracing::error!(%error, "burst.unreadable");
            events.into_iter().map(Notice::Event).collect()
        }
    }
}

/// An event's payload, by its fields.
type Fields<'a> = BTreeMap<&'a str, &'a RawValue>;

/// Who came or went.
#[derive(Deserialize, Serialize)]
struct Change<'a> {
    #[serde(borrow)]
    r#type: &'a str,
    #[serde(borrow)]
    users: Vec<&'a RawValue>,
}

/// Neighbours of one kind, and what they say together.
struct Run<'a> {
    first: &'a Delivery,
    last: &'a Delivery,
    fields: Fields<'a>,
    change: Option<Change<'a>>,
}

fn merge(events: &[Arc<Delivery>]) -> serde_json::Result<Vec<Delivery>> {
    let mut runs: Vec<Run<'_>> = Vec::new();
    for event in events {
        let fields: Fields<'_> = serde_json::from_str(event.envelope.data.get())?;
        let change = fields.get("change").map(|change| serde_json::from_str::<Change<'_>>(change.get()));
        let change = change.transpose()?;
        match (runs.last_mut(), change) {
            (Some(Run { last, fields: known, change: Some(known_change), .. }), Some(change))
                if known_change.r#type == change.r#type =>
            {
                known_change.users.extend(change.users);
                (*last, *known) = (event, fields);
            }
            (_, change) => runs.push(Run { first: event, last: event, fields, change }),
        }
    }
    // An older list says nothing that the latest one does not.
    let latest = runs.iter().rposition(|run| run.fields.contains_key("members"));
    let write = |(place, mut run): (usize, Run<'_>)| {
        if Some(place) != latest {
            run.fields.remove("members");
        }
        run.write()
    };
    runs.into_iter().enumerate().map(write).collect()
}

impl Run<'_> {
    fn write(self) -> serde_json::Result<Delivery> {
        let Self { first, last, fields, change } = self;
        let change = to_raw_value(&change)?;
        let first_seq = to_raw_value(&first.envelope.seq)?;
        let mut fields: Fields<'_> = fields;
        if first.envelope.seq != last.envelope.seq {
            fields.insert("change", &change);
            fields.insert("firstSeq", &first_seq);
        }
        let data = to_raw_value(&fields)?;
        let Envelope { event, epoch, seq, .. } = &last.envelope;
        let envelope = Envelope {
            event: event.clone(),
            epoch: *epoch,
            seq: *seq,
            except: None,
            only: None,
            closes: false,
            data,
        };
        Ok(Delivery::since(envelope, first.received_at))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn room() -> RoomId {
        "r".parse().unwrap()
    }

    fn event(name: &str, seq: u64, mut data: Value) -> Envelope {
        data["seq"] = seq.into();
        serde_json::from_value(json!({ "event": name, "epoch": 1, "seq": seq, "data": data })).unwrap()
    }

    fn change(seq: u64, kind: &str, user: &str, members: &[&str]) -> Envelope {
        let users = [json!({ "userId": user })];
        let data = json!({
            "change": { "type": kind, "users": users }, "count": members.len(), "members": members,
        });
        event(CHANGED, seq, data)
    }

    fn entered(seq: u64) -> Envelope {
        change(seq, "entered", &format!("user-{seq}"), &["a", "list"])
    }

    /// What goes out, as the payloads that somebody gets who knows nothing of it yet.
    fn payloads(notices: impl IntoIterator<Item = Notice>) -> Vec<Value> {
        let deliveries = notices.into_iter().flat_map(|notice| match notice {
            Notice::Event(delivery) => vec![delivery],
            Notice::Burst(burst) => burst.merged.clone(),
            Notice::Reading(_) => panic!("nobody reads here"),
        });
        deliveries.map(|delivery| serde_json::from_str(delivery.envelope.data.get()).unwrap()).collect()
    }

    fn seqs(payloads: &[Value]) -> Vec<(u64, u64)> {
        let seq = |payload: &Value, name: &str| payload[name].as_u64();
        payloads
            .iter()
            .map(|payload| {
                let last = seq(payload, "seq").unwrap();
                (seq(payload, "firstSeq").unwrap_or(last), last)
            })
            .collect()
    }

    /// Lets the window end, and returns what comes out of it.
    fn later(bursts: &mut Bursts, now: &mut Instant) -> Vec<Value> {
        *now += WINDOW;
        let due = bursts.due(*now);
        payloads(due.into_iter().map(|(_, notice)| notice))
    }

    #[test]
    fn a_change_by_itself_goes_out_at_once_and_leaves_nothing_behind() {
        let (mut bursts, mut now) = (Bursts::default(), Instant::now());
        let out = payloads(bursts.take(&room(), entered(1), now));
        assert_eq!(seqs(&out), [(1, 1)]);
        assert!(later(&mut bursts, &mut now).is_empty());
        assert!(bursts.held.is_empty() && bursts.next_due().is_none());
    }

    #[test]
    fn what_follows_closely_goes_out_together_with_one_list() {
        let (mut bursts, mut now) = (Bursts::default(), Instant::now());
        bursts.take(&room(), entered(1), now);
        for seq in 2..=4 {
            assert!(bursts.take(&room(), entered(seq), now).is_empty());
        }
        let out = later(&mut bursts, &mut now);
        let users: Vec<_> = ["user-2", "user-3", "user-4"].map(|user| json!({ "userId": user })).into();
        let expected = json!({
            "firstSeq": 2, "seq": 4, "count": 2, "members": ["a", "list"],
            "change": { "type": "entered", "users": users },
        });
        assert_eq!(out, [expected]);
        bursts.take(&room(), entered(5), now);
        assert_eq!(seqs(&later(&mut bursts, &mut now)), [(5, 5)], "and so on, while it lasts");
    }

    #[test]
    fn kinds_stay_apart_and_in_order_and_only_the_last_has_a_list() {
        let (mut bursts, mut now) = (Bursts::default(), Instant::now());
        bursts.take(&room(), entered(1), now);
        let lost = event(RECONNECTING, 5, json!({ "userId": "kim" }));
        for envelope in [entered(2), entered(3), change(4, "left", "user-2", &["a"]), lost, entered(6)] {
            assert!(bursts.take(&room(), envelope, now).is_empty());
        }
        let out = later(&mut bursts, &mut now);
        assert_eq!(seqs(&out), [(2, 3), (4, 4), (5, 5), (6, 6)]);
        let lists: Vec<bool> = out.iter().map(|payload| payload.get("members").is_some()).collect();
        assert_eq!(lists, [false, false, false, true]);
    }

    #[test]
    fn anything_else_lets_out_what_is_held_first() {
        let (mut bursts, now) = (Bursts::default(), Instant::now());
        for seq in 1..=3 {
            bursts.take(&room(), entered(seq), now);
        }
        let out = payloads(bursts.take(&room(), event("room:notice", 4, json!({})), now));
        assert_eq!(seqs(&out), [(2, 3), (4, 4)]);
    }

    #[test]
    fn what_does_not_follow_is_not_merged() {
        let (mut bursts, mut now) = (Bursts::default(), Instant::now());
        bursts.take(&room(), entered(1), now);
        bursts.take(&room(), entered(2), now);
        assert_eq!(seqs(&payloads(bursts.take(&room(), entered(4), now))), [(2, 2)]);
        assert_eq!(seqs(&later(&mut bursts, &mut now)), [(4, 4)]);
    }

    #[test]
    fn no_more_than_so_many_are_held() {
        let (mut bursts, now) = (Bursts::default(), Instant::now());
        let most = MAX_CHANGES as u64;
        bursts.take(&room(), entered(1), now);
        for seq in 2..=most {
            assert!(bursts.take(&room(), entered(seq), now).is_empty());
        }
        assert_eq!(seqs(&payloads(bursts.take(&room(), entered(most + 1), now))), [(2, most + 1)]);
    }

    #[test]
    fn rooms_do_not_wait_for_each_other() {
        let (mut bursts, now) = (Bursts::default(), Instant::now());
        bursts.take(&room(), entered(1), now);
        let other = "other".parse().unwrap();
        assert_eq!(seqs(&payloads(bursts.take(&other, entered(1), now))), [(1, 1)]);
    }
}

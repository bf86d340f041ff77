//! Coalesces changes of members. When a class begins, everybody enters within moments, and each entry comes with the
//! whole list of members: without coalescing, the bytes sent would grow with the square of the room.
//!
//! The first change after a quiet moment goes out at once. Changes that follow it closely are held for a short window
//! and go out together: neighbours of one type as one event, and the list of members only once. Any other event of the
//! room flushes the held changes first, so the order stays.

mod merge;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use rollcall_protocol::{RoomId, fanout::Envelope};
use tokio::time::Instant;

use super::{
    encoded::EncodedEvent,
    update::{Coalesced, RoomUpdate},
};
use crate::telemetry::metrics;

/// How long changes are held: too short for a person to notice in a list of members.
const WINDOW: Duration = Duration::from_millis(50);

/// Most changes that go out together.
const MAX_CHANGES: usize = 256;

const CHANGED: &str = "room:participantsChanged";
const RECONNECTING: &str = "room:participantReconnecting";
const RECONNECTED: &str = "room:participantReconnected";

/// Holds and merges changes, for all rooms. Dropping it drops the held changes, so the rooms need a resync.
#[derive(Default)]
pub(super) struct Coalescer {
    /// The rooms with an open window, and the changes held in each.
    held: HashMap<RoomId, Vec<Arc<EncodedEvent>>>,
    /// The ends of all windows in order: every window is equally long.
    windows: VecDeque<(Instant, RoomId)>,
}

impl Coalescer {
    /// Takes an event of a room. Returns the updates that go out now.
    pub(super) fn push(&mut self, room: &RoomId, envelope: Envelope, now: Instant) -> Vec<RoomUpdate> {
        let is_change = is_change(&envelope);
        let event = Arc::new(EncodedEvent::new(envelope));
        let Some(held) = self.held.get_mut(room) else {
            if is_change {
                self.held.insert(room.clone(), Vec::new());
                self.windows.push_back((now + WINDOW, room.clone()));
            }
            return vec![RoomUpdate::Event(event)];
        };
        if !is_change {
            let mut updates = flush(held);
            updates.push(RoomUpdate::Event(event));
            return updates;
        }
        let follows = held.last().is_none_or(|last| is_next(&last.envelope, &event.envelope));
        let mut updates = if follows { Vec::new() } else { flush(held) };
        held.push(event);
        if held.len() >= MAX_CHANGES {
            updates.extend(flush(held));
        }
        updates
    }

    /// When the next window ends.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.windows.front().map(|(due, _)| *due)
    }

    /// Returns the updates of all windows that have ended.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(RoomId, RoomUpdate)> {
        let mut out = Vec::new();
        while let Some((_, room)) = self.windows.pop_front_if(|(due, _)| *due <= now) {
            let Some(held) = self.held.get_mut(&room) else { continue };
            if held.is_empty() {
                // Nothing changed in this window, so the room is quiet again.
                self.held.remove(&room);
                continue;
            }
            out.extend(flush(held).into_iter().map(|update| (room.clone(), update)));
            self.windows.push_back((now + WINDOW, room));
        }
        out
    }
}

/// Whether an event only says that members came, went, dropped or returned.
fn is_change(envelope: &Envelope) -> bool {
    let is_for_all = envelope.only.is_none() && !envelope.closes;
    is_for_all && matches!(envelope.event.as_str(), CHANGED | RECONNECTING | RECONNECTED)
}

fn is_next(last: &Envelope, next: &Envelope) -> bool {
    (last.epoch, last.seq + 1) == (next.epoch, next.seq)
}

fn flush(held: &mut Vec<Arc<EncodedEvent>>) -> Vec<RoomUpdate> {
    let events = std::mem::take(held);
    if events.len() < 2 {
        return events.into_iter().map(RoomUpdate::Event).collect();
    }
    match merge::merge(&events) {
        Ok(merged) => {
            metrics::record_merged_events(events.len() - merged.len());
            let merged = merged.into_iter().map(Arc::new).collect();
            vec![RoomUpdate::Coalesced(Arc::new(Coalesced { events, merged }))]
        }
        Err(error) => {
            tracing::error!(%error, "coalesce.unreadable_event");
            events.into_iter().map(RoomUpdate::Event).collect()
        }
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

    /// The payloads of updates as a session gets them that knows none of the changes yet.
    fn payloads(updates: impl IntoIterator<Item = RoomUpdate>) -> Vec<Value> {
        let events = updates.into_iter().flat_map(|update| match update {
            RoomUpdate::Event(event) => vec![event],
            RoomUpdate::Coalesced(coalesced) => coalesced.merged.clone(),
            RoomUpdate::Snapshot(_) => panic!("the coalescer makes no snapshots"),
        });
        events.map(|event| serde_json::from_str(event.envelope.data.get()).unwrap()).collect()
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

    /// Lets the window end. Returns the payloads that go out.
    fn end_window(coalescer: &mut Coalescer, now: &mut Instant) -> Vec<Value> {
        *now += WINDOW;
        let due = coalescer.due(*now);
        payloads(due.into_iter().map(|(_, update)| update))
    }

    #[test]
    fn a_single_change_goes_out_at_once_and_leaves_nothing_behind() {
        let (mut coalescer, mut now) = (Coalescer::default(), Instant::now());
        let out = payloads(coalescer.push(&room(), entered(1), now));
        assert_eq!(seqs(&out), [(1, 1)]);
        assert!(end_window(&mut coalescer, &mut now).is_empty());
        assert!(coalescer.held.is_empty() && coalescer.next_due().is_none());
    }

    #[test]
    fn changes_that_follow_closely_go_out_together_with_one_list() {
        let (mut coalescer, mut now) = (Coalescer::default(), Instant::now());
        coalescer.push(&room(), entered(1), now);
        for seq in 2..=4 {
            assert!(coalescer.push(&room(), entered(seq), now).is_empty());
        }
        let out = end_window(&mut coalescer, &mut now);
        let users: Vec<_> = ["user-2", "user-3", "user-4"].map(|user| json!({ "userId": user })).into();
        let expected = json!({
            "firstSeq": 2, "seq": 4, "count": 2, "members": ["a", "list"],
            "change": { "type": "entered", "users": users },
        });
        assert_eq!(out, [expected]);
        coalescer.push(&room(), entered(5), now);
        assert_eq!(
            seqs(&end_window(&mut coalescer, &mut now)),
            [(5, 5)],
            "the window stays open while changes come"
        );
    }

    #[test]
    fn types_stay_apart_and_in_order_and_only_the_last_event_has_a_list() {
        let (mut coalescer, mut now) = (Coalescer::default(), Instant::now());
        coalescer.push(&room(), entered(1), now);
        let lost = event(RECONNECTING, 5, json!({ "userId": "kim" }));
        for envelope in [entered(2), entered(3), change(4, "left", "user-2", &["a"]), lost, entered(6)] {
            assert!(coalescer.push(&room(), envelope, now).is_empty());
        }
        let out = end_window(&mut coalescer, &mut now);
        assert_eq!(seqs(&out), [(2, 3), (4, 4), (5, 5), (6, 6)]);
        let lists: Vec<bool> = out.iter().map(|payload| payload.get("members").is_some()).collect();
        assert_eq!(lists, [false, false, false, true]);
    }

    #[test]
    fn members_who_drop_or_return_together_are_named_by_one_event() {
        let (mut coalescer, mut now) = (Coalescer::default(), Instant::now());
        coalescer.push(&room(), entered(1), now);
        for seq in 2..=4 {
            let member = json!({ "userId": format!("user-{seq}"), "userName": "n", "graceUntil": 7 });
            assert!(coalescer.push(&room(), event(RECONNECTING, seq, member), now).is_empty());
        }
        for seq in 5..=6 {
            let member =
                json!({ "userId": format!("user-{seq}"), "userName": "n", "count": 9, "members": ["x"] });
            assert!(coalescer.push(&room(), event(RECONNECTED, seq, member), now).is_empty());
        }
        let user = |seq: u64| json!({ "userId": format!("user-{seq}"), "userName": "n" });
        let dropped = |seq: u64| json!({ "userId": format!("user-{seq}"), "userName": "n", "graceUntil": 7 });
        assert_eq!(
            end_window(&mut coalescer, &mut now),
            [
                json!({ "firstSeq": 2, "seq": 4, "users": [dropped(2), dropped(3), dropped(4)] }),
                json!({ "firstSeq": 5, "seq": 6, "count": 9, "members": ["x"], "users": [user(5), user(6)] }),
            ]
        );
    }

    #[test]
    fn a_member_who_drops_alone_is_named_as_ever() {
        let (mut coalescer, mut now) = (Coalescer::default(), Instant::now());
        coalescer.push(&room(), entered(1), now);
        let member = json!({ "userId": "kim", "userName": "n", "graceUntil": 7 });
        coalescer.push(&room(), event(RECONNECTING, 2, member.clone()), now);
        coalescer.push(&room(), entered(3), now);
        let out = end_window(&mut coalescer, &mut now);
        let mut expected = member;
        expected["seq"] = 2.into();
        assert_eq!(out[0], expected);
    }

    #[test]
    fn any_other_event_flushes_the_held_changes_first() {
        let (mut coalescer, now) = (Coalescer::default(), Instant::now());
        for seq in 1..=3 {
            coalescer.push(&room(), entered(seq), now);
        }
        let out = payloads(coalescer.push(&room(), event("room:notice", 4, json!({})), now));
        assert_eq!(seqs(&out), [(2, 3), (4, 4)]);
    }

    #[test]
    fn changes_with_a_gap_between_them_are_not_merged() {
        let (mut coalescer, mut now) = (Coalescer::default(), Instant::now());
        coalescer.push(&room(), entered(1), now);
        coalescer.push(&room(), entered(2), now);
        assert_eq!(seqs(&payloads(coalescer.push(&room(), entered(4), now))), [(2, 2)]);
        assert_eq!(seqs(&end_window(&mut coalescer, &mut now)), [(4, 4)]);
    }

    #[test]
    fn a_window_holds_a_limited_number_of_changes() {
        let (mut coalescer, now) = (Coalescer::default(), Instant::now());
        let most = MAX_CHANGES as u64;
        coalescer.push(&room(), entered(1), now);
        for seq in 2..=most {
            assert!(coalescer.push(&room(), entered(seq), now).is_empty());
        }
        assert_eq!(seqs(&payloads(coalescer.push(&room(), entered(most + 1), now))), [(2, most + 1)]);
    }

    #[test]
    fn rooms_do_not_wait_for_each_other() {
        let (mut coalescer, now) = (Coalescer::default(), Instant::now());
        coalescer.push(&room(), entered(1), now);
        let other = "other".parse().unwrap();
        assert_eq!(seqs(&payloads(coalescer.push(&other, entered(1), now))), [(1, 1)]);
    }
}

//! Coalesces changes of members, and keeps what they write in order with them. When a class begins, everybody enters
//! within moments, and each entry comes with the whole list of members: without coalescing, the bytes sent would grow
//! with the square of the room.
//!
//! The first change after a quiet moment goes out at once. Changes that follow it closely are held for a window and go
//! out together: neighbours of one type as one event, and the list of members only once. What members write waits with
//! the changes before it, and of several versions of a snippet the last goes out. Any other event of the room flushes
//! what is held first, so the order stays. The more bytes went out, the longer the next window: whatever members do, the
//! bytes per second of changes are bounded. Messages are bounded by the limit of each author.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use rollcall_protocol::{RoomId, fanout::Envelope};
use tokio::time::Instant;

use super::{
    encoded::EncodedEvent,
    hub::Hub,
    merge,
    update::{Coalesced, RoomUpdate},
};
use crate::telemetry::metrics;

/// How long changes of a small room are held: too short for a person to notice in a list of members.
const MIN_WINDOW: Duration = Duration::from_millis(50);

/// How long changes are held at most. Each member of a large room gets one list in this time.
const MAX_WINDOW: Duration = Duration::from_secs(1);

/// Bytes per second that changes of one room should cost, to all its sockets on this bridge together. Only a room whose
/// list costs more in one [`MAX_WINDOW`] exceeds them.
const BYTES_PER_SECOND: u32 = 4 * 1024 * 1024;

/// Most changes that go out together.
const MAX_CHANGES: usize = 256;

/// Holds and merges changes, for all rooms. Dropping it drops the held changes, so the rooms need a resync.
pub(super) struct Coalescer<'a> {
    hub: &'a Hub,
    /// The rooms with an open window.
    windows: HashMap<RoomId, Window>,
    /// The ends of all windows in order.
    ends: BTreeSet<(Instant, RoomId)>,
}

/// A time in which changes of a room are held.
struct Window {
    end: Instant,
    held: Held,
}

/// Held changes of a room.
#[derive(Default)]
struct Held {
    events: Vec<Arc<EncodedEvent>>,
    /// Which of the events has the list of members. The list of a later event replaces the lists before it.
    listed: Option<usize>,
}

impl<'a> Coalescer<'a> {
    /// For the rooms of a hub.
    pub(super) fn new(hub: &'a Hub) -> Self {
        Self { hub, windows: HashMap::new(), ends: BTreeSet::new() }
    }

    /// Takes an event of a room. Returns the updates that go out now.
    pub(super) fn push(&mut self, room: &RoomId, envelope: Envelope, now: Instant) -> Vec<RoomUpdate> {
        let is_change = merge::is_change(&envelope);
        // An event for one connection closes that connection and has no place in the order of the others. What happens in
        // a document has none either, because a document counts its updates itself.
        let is_for_some = envelope.only.is_some() || envelope.document.is_some();
        let event = Arc::new(EncodedEvent::new(envelope));
        let window = self.windows.get_mut(room).filter(|_| !is_for_some);
        let Some(Window { held, .. }) = window else {
            let updates = vec![RoomUpdate::Event(event)];
            if is_change {
                self.open_window(room, &updates, now);
            }
            return updates;
        };
        if is_change {
            return held.push(event);
        }
        let mut updates = held.flush();
        updates.push(RoomUpdate::Event(event));
        self.open_window(room, &updates, now);
        updates
    }

    /// When the next window ends.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.ends.first().map(|(end, _)| *end)
    }

    /// Returns the updates of all windows that have ended.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(RoomId, RoomUpdate)> {
        let mut out = Vec::new();
        while self.next_due().is_some_and(|end| end <= now)
            && let Some((_, room)) = self.ends.pop_first()
        {
            let updates = self.windows.get_mut(&room).map(|window| window.held.flush()).unwrap_or_default();
            if updates.is_empty() {
                // Nothing changed in this window, so the room is quiet again.
                self.windows.remove(&room);
                continue;
            }
            self.open_window(&room, &updates, now);
            out.extend(updates.into_iter().map(|update| (room.clone(), update)));
        }
        out
    }

    /// Opens the window that follows these updates, in place of the room's earlier one.
    fn open_window(&mut self, room: &RoomId, updates: &[RoomUpdate], now: Instant) {
        let sessions = u32::try_from(self.hub.count_sessions(room)).unwrap_or(u32::MAX);
        let bytes: usize = updates.iter().map(RoomUpdate::size).sum();
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).saturating_mul(sessions);
        let seconds = f64::from(bytes) / f64::from(BYTES_PER_SECOND);
        let end = now + Duration::from_secs_f64(seconds).clamp(MIN_WINDOW, MAX_WINDOW);
        let (end, held) = match self.windows.remove(room) {
            Some(earlier) => {
                self.ends.remove(&(earlier.end, room.clone()));
                // A small event does not shorten the window of a large list.
                (end.max(earlier.end), earlier.held)
            }
            None => (end, Held::default()),
        };
        self.ends.insert((end, room.clone()));
        self.windows.insert(room.clone(), Window { end, held });
    }
}

impl Held {
    /// Holds one more change. Returns the updates that go out now.
    fn push(&mut self, event: Arc<EncodedEvent>) -> Vec<RoomUpdate> {
        let follows = self.events.last().is_none_or(|last| is_next(&last.envelope, &event.envelope));
        let mut updates = if follows { Vec::new() } else { self.flush() };
        self.events.push(event);
        if let Err(error) = self.keep_latest_list() {
            tracing::error!(%error, "coalesce.unreadable_event");
            updates.extend(self.flush());
        }
        if self.events.len() > MAX_CHANGES {
            updates.extend(self.flush_unlisted());
        }
        updates
    }

    /// Removes the earlier list if the newest event has a list.
    fn keep_latest_list(&mut self) -> serde_json::Result<()> {
        let Some((newest, earlier)) = self.events.split_last_mut() else { return Ok(()) };
        if merge::has_list(newest)? {
            if let Some(index) = self.listed
                && let Some(event) = earlier.get_mut(index)
            {
                *event = Arc::new(merge::without_list(event)?);
            }
            self.listed = Some(earlier.len());
        }
        Ok(())
    }

    /// Flushes the changes before the one with the list, which goes out with the window. Flushes all if it is the first.
    fn flush_unlisted(&mut self) -> Vec<RoomUpdate> {
        match self.listed.replace(0).filter(|index| *index > 0) {
            Some(index) => flush(self.events.drain(..index).collect()),
            None => self.flush(),
        }
    }

    fn flush(&mut self) -> Vec<RoomUpdate> {
        let Self { events, .. } = std::mem::take(self);
        flush(events)
    }
}

fn is_next(last: &Envelope, next: &Envelope) -> bool {
    (last.epoch, last.seq + 1) == (next.epoch, next.seq)
}

fn flush(events: Vec<Arc<EncodedEvent>>) -> Vec<RoomUpdate> {
    if events.len() < 2 {
        return events.into_iter().map(RoomUpdate::Event).collect();
    }
    match Coalesced::new(events.clone()) {
        Ok(coalesced) => {
            metrics::record_merged_events(events.len() - coalesced.count_merged());
            vec![RoomUpdate::Coalesced(Arc::new(coalesced))]
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
    use crate::fanout::merge::{
        CHANGED, CODE_UPDATED, HOST_CHANGED, MEMBER_UPDATED, RECONNECTED, RECONNECTING, TIMER_CHANGED,
    };

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
            RoomUpdate::Coalesced(coalesced) => coalesced.merge_last(coalesced.events.len()),
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
    fn end_window(coalescer: &mut Coalescer<'_>, now: &mut Instant) -> Vec<Value> {
        *now = coalescer.next_due().unwrap();
        let due = coalescer.due(*now);
        payloads(due.into_iter().map(|(_, update)| update))
    }

    #[test]
    fn a_single_change_goes_out_at_once_and_leaves_nothing_behind() {
        let (hub, mut now) = (Hub::default(), Instant::now());
        let mut coalescer = Coalescer::new(&hub);
        let out = payloads(coalescer.push(&room(), entered(1), now));
        assert_eq!(seqs(&out), [(1, 1)]);
        assert!(end_window(&mut coalescer, &mut now).is_empty());
        assert!(coalescer.windows.is_empty() && coalescer.next_due().is_none());
    }

    #[test]
    fn changes_that_follow_closely_go_out_together_with_one_list() {
        let (hub, mut now) = (Hub::default(), Instant::now());
        let mut coalescer = Coalescer::new(&hub);
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
        let (hub, mut now) = (Hub::default(), Instant::now());
        let mut coalescer = Coalescer::new(&hub);
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
        let (hub, mut now) = (Hub::default(), Instant::now());
        let mut coalescer = Coalescer::new(&hub);
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
        let (hub, mut now) = (Hub::default(), Instant::now());
        let mut coalescer = Coalescer::new(&hub);
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
        let (hub, now) = (Hub::default(), Instant::now());
        let mut coalescer = Coalescer::new(&hub);
        for seq in 1..=3 {
            coalescer.push(&room(), entered(seq), now);
        }
        let out = payloads(coalescer.push(&room(), event("room:notice", 4, json!({})), now));
        assert_eq!(seqs(&out), [(2, 3), (4, 4)]);
    }

    #[test]
    fn changes_with_a_gap_between_them_are_not_merged() {
        let (hub, mut now) = (Hub::default(), Instant::now());
        let mut coalescer = Coalescer::new(&hub);
        coalescer.push(&room(), entered(1), now);
        coalescer.push(&room(), entered(2), now);
        assert_eq!(seqs(&payloads(coalescer.push(&room(), entered(4), now))), [(2, 2)]);
        assert_eq!(seqs(&end_window(&mut coalescer, &mut now)), [(4, 4)]);
    }

    #[test]
    fn a_window_holds_a_limited_number_of_changes_and_sends_one_list() {
        let (hub, mut now) = (Hub::default(), Instant::now());
        let mut coalescer = Coalescer::new(&hub);
        let most = MAX_CHANGES as u64;
        coalescer.push(&room(), entered(1), now);
        for seq in 2..most + 2 {
            assert!(coalescer.push(&room(), entered(seq), now).is_empty());
        }
        let out = payloads(coalescer.push(&room(), entered(most + 2), now));
        assert_eq!(seqs(&out), [(2, most + 1)]);
        assert_eq!(out[0].get("members"), None, "the list waits for the end of the window");
        let out = end_window(&mut coalescer, &mut now);
        assert_eq!((seqs(&out), out[0].get("members").is_some()), (vec![(most + 2, most + 2)], true));
    }

    #[test]
    fn changes_without_a_list_do_not_wait_for_one() {
        let (hub, now) = (Hub::default(), Instant::now());
        let mut coalescer = Coalescer::new(&hub);
        let most = MAX_CHANGES as u64;
        let lost = |seq| event(RECONNECTING, seq, json!({ "userId": format!("user-{seq}") }));
        coalescer.push(&room(), lost(1), now);
        for seq in 2..most + 2 {
            assert!(coalescer.push(&room(), lost(seq), now).is_empty());
        }
        assert_eq!(seqs(&payloads(coalescer.push(&room(), lost(most + 2), now))), [(2, most + 2)]);
    }

    #[test]
    fn a_window_is_the_longer_the_more_bytes_went_out() {
        let (hub, now) = (Arc::new(Hub::default()), Instant::now());
        let list = vec!["x".repeat(126); 256];
        let list: Vec<&str> = list.iter().map(String::as_str).collect();
        let mut windows = Vec::new();
        let mut sessions = Vec::new();
        for count in [1, 32, 256] {
            sessions.resize_with(count, || hub.attach(room()));
            let mut coalescer = Coalescer::new(&hub);
            coalescer.push(&room(), change(1, "entered", "kim", &list), now);
            windows.push(coalescer.next_due().unwrap() - now);
        }
        assert_eq!((windows[0], windows[2]), (MIN_WINDOW, MAX_WINDOW));
        assert!(windows[1].abs_diff(Duration::from_millis(250)) < Duration::from_millis(5), "{windows:?}");
    }

    #[test]
    fn a_user_who_comes_and_goes_is_named_once_for_each_type() {
        let (hub, mut now) = (Hub::default(), Instant::now());
        let mut coalescer = Coalescer::new(&hub);
        coalescer.push(&room(), entered(1), now);
        coalescer.push(&room(), change(2, "entered", "ann", &["a"]), now);
        for seq in (3..99).step_by(2) {
            coalescer.push(&room(), change(seq, "entered", "kim", &["a", "kim"]), now);
            coalescer.push(&room(), change(seq + 1, "left", "kim", &["a"]), now);
        }
        let lost = |seq| event(RECONNECTING, seq, json!({ "userId": "ben", "graceUntil": seq }));
        coalescer.push(&room(), lost(99), now);
        coalescer.push(&room(), lost(100), now);
        let out = end_window(&mut coalescer, &mut now);
        let named: Vec<_> = out.iter().map(|payload| (&payload["change"], &payload["users"])).collect();
        let users = |user: &str| json!([{ "userId": user }]);
        let entered = json!({ "type": "entered", "users": [{ "userId": "ann" }, { "userId": "kim" }] });
        let left = json!({ "type": "left", "users": users("kim") });
        let dropped = json!([{ "userId": "ben", "graceUntil": 100 }]);
        assert_eq!(named, [(&entered, &Value::Null), (&left, &Value::Null), (&Value::Null, &dropped)]);
        assert_eq!(seqs(&out), [(2, 97), (98, 98), (99, 100)], "without a gap");
    }

    #[test]
    fn new_hosts_keep_their_place_and_flush_nothing() {
        let (hub, mut now) = (Hub::default(), Instant::now());
        let mut coalescer = Coalescer::new(&hub);
        coalescer.push(&room(), entered(1), now);
        let host = |seq, host: &str| event(HOST_CHANGED, seq, json!({ "hostId": host, "userName": host }));
        for envelope in [
            change(2, "left", "kim", &["a"]),
            host(3, "ann"),
            change(4, "left", "ann", &["b"]),
            host(5, "ben"),
            entered(6),
        ] {
            assert!(coalescer.push(&room(), envelope, now).is_empty());
        }
        let out = end_window(&mut coalescer, &mut now);
        assert_eq!(seqs(&out), [(2, 4), (5, 5), (6, 6)]);
        assert_eq!(out[1], json!({ "seq": 5, "hostId": "ben", "userName": "ben" }));
    }

    #[test]
    fn members_who_update_themselves_are_named_once_in_a_window_as_they_are_at_its_end() {
        let (hub, mut now) = (Hub::default(), Instant::now());
        let mut coalescer = Coalescer::new(&hub);
        let update = |seq, user, status| {
            event(
                MEMBER_UPDATED,
                seq,
                json!({ "userId": user, "userName": user, "status": status, "now": seq }),
            )
        };
        let at_once = payloads(coalescer.push(&room(), update(1, "kim", "away"), now));
        assert_eq!(at_once[0]["userId"], "kim");
        for (seq, user, status) in [(2, "kim", "break"), (3, "ben", "away"), (4, "kim", "focusing")] {
            assert!(coalescer.push(&room(), update(seq, user, status), now).is_empty());
        }
        let out = end_window(&mut coalescer, &mut now);
        let user = |user, status| json!({ "userId": user, "userName": user, "status": status });
        let users = [user("ben", "away"), user("kim", "focusing")];
        assert_eq!(out, [json!({ "firstSeq": 2, "seq": 4, "now": 4, "users": users })]);
    }

    #[test]
    fn messages_wait_with_the_changes_before_them_and_each_goes_out_as_it_is() {
        let (hub, mut now) = (Hub::default(), Instant::now());
        let mut coalescer = Coalescer::new(&hub);
        let message = |seq| event("chat:message", seq, json!({ "message": { "number": seq } }));
        assert_eq!(
            seqs(&payloads(coalescer.push(&room(), message(1), now))),
            [(1, 1)],
            "at once in a quiet room"
        );
        for envelope in [entered(2), entered(3), message(4), message(5), entered(6)] {
            assert!(coalescer.push(&room(), envelope, now).is_empty());
        }
        let out = end_window(&mut coalescer, &mut now);
        assert_eq!(seqs(&out), [(2, 3), (4, 4), (5, 5), (6, 6)]);
        assert_eq!(out[1], json!({ "seq": 4, "message": { "number": 4 } }));
        let lists: Vec<bool> = out.iter().map(|payload| payload.get("members").is_some()).collect();
        assert_eq!(lists, [false, false, false, true]);
    }

    #[test]
    fn of_several_changes_of_a_snippet_in_a_window_the_last_goes_out() {
        let (hub, mut now) = (Hub::default(), Instant::now());
        let mut coalescer = Coalescer::new(&hub);
        let code = |name, seq, number, version| {
            event(name, seq, json!({ "snippet": { "number": number, "version": version }, "text": "x" }))
        };
        coalescer.push(&room(), entered(1), now);
        for (name, seq, number, version) in [
            ("code:shared", 2, 7, 1),
            (CODE_UPDATED, 3, 7, 2),
            (CODE_UPDATED, 4, 8, 5),
            (CODE_UPDATED, 5, 7, 3),
            ("code:closed", 6, 8, 5),
        ] {
            assert!(coalescer.push(&room(), code(name, seq, number, version), now).is_empty());
        }
        let out = end_window(&mut coalescer, &mut now);
        let shown: Vec<_> =
            out.iter().map(|event| (&event["snippet"]["number"], &event["snippet"]["version"])).collect();
        let (seven, eight, versions) = (json!(7), json!(8), [json!(1), json!(5), json!(3)]);
        let [one, five, three] = &versions;
        assert_eq!(shown, [(&seven, one), (&eight, five), (&seven, three), (&eight, five)]);
        assert_eq!(seqs(&out), [(2, 2), (3, 4), (5, 5), (6, 6)], "without a gap");
    }

    #[test]
    fn a_timer_that_changes_again_and_again_goes_out_once_in_a_window_and_before_its_phase_changes() {
        let (hub, mut now) = (Hub::default(), Instant::now());
        let mut coalescer = Coalescer::new(&hub);
        let timer = |name, seq, state| event(name, seq, json!({ "timer": { "state": state } }));
        let at_once = payloads(coalescer.push(&room(), timer(TIMER_CHANGED, 1, "idle"), now));
        assert_eq!(seqs(&at_once), [(1, 1)]);
        for (seq, state) in [(2, "running"), (3, "paused"), (4, "running")] {
            assert!(coalescer.push(&room(), timer(TIMER_CHANGED, seq, state), now).is_empty());
        }
        let out = end_window(&mut coalescer, &mut now);
        assert_eq!(out, [json!({ "firstSeq": 2, "seq": 4, "timer": { "state": "running" } })]);
        coalescer.push(&room(), timer(TIMER_CHANGED, 5, "paused"), now);
        let out = payloads(coalescer.push(&room(), timer("timer:phaseChanged", 6, "finished"), now));
        assert_eq!(seqs(&out), [(5, 5), (6, 6)]);
    }

    #[test]
    fn an_event_for_one_connection_flushes_nothing() {
        let (hub, mut now) = (Hub::default(), Instant::now());
        let mut coalescer = Coalescer::new(&hub);
        coalescer.push(&room(), entered(1), now);
        coalescer.push(&room(), entered(2), now);
        let replaced = json!({ "event": "room:replaced", "epoch": 1, "seq": 2, "only": "e", "closes": true, "data": {} });
        let out = coalescer.push(&room(), serde_json::from_value(replaced).unwrap(), now);
        assert_eq!(payloads(out), [json!({})]);
        assert_eq!(seqs(&end_window(&mut coalescer, &mut now)), [(2, 2)]);
    }

    #[test]
    fn a_session_that_knows_some_changes_gets_the_others_together_with_one_list() {
        let (hub, now) = (Hub::default(), Instant::now());
        let mut coalescer = Coalescer::new(&hub);
        for seq in 1..=6 {
            coalescer.push(&room(), entered(seq), now);
        }
        let due = coalescer.due(coalescer.next_due().unwrap());
        let Some((_, RoomUpdate::Coalesced(coalesced))) = due.first() else { panic!("{}", due.len()) };
        let lists = |event: &Arc<EncodedEvent>| event.envelope.data.get().contains("members");
        let listed: Vec<bool> = coalesced.events.iter().map(lists).collect();
        assert_eq!(listed, [false, false, false, false, true]);
        let unknown = coalesced.after((1, 4));
        let rest = coalesced.merge_last(unknown.len()).into_iter().map(RoomUpdate::Event);
        let rest = payloads(rest);
        assert_eq!((seqs(&rest), rest[0].get("members").is_some()), (vec![(5, 6)], true));
        assert!(coalesced.after((1, 6)).is_empty() && coalesced.after((2, 0)).is_empty());
        assert_eq!(coalesced.after((1, 1)).len(), 5);
    }

    #[test]
    fn rooms_do_not_wait_for_each_other() {
        let (hub, now) = (Hub::default(), Instant::now());
        let mut coalescer = Coalescer::new(&hub);
        coalescer.push(&room(), entered(1), now);
        let other = "other".parse().unwrap();
        assert_eq!(seqs(&payloads(coalescer.push(&other, entered(1), now))), [(1, 1)]);
    }
}

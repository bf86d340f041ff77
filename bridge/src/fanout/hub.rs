//! Knows which session is in which room, and hands each room's updates to its sessions.
//!
//! The hub states which rooms it wants; the subscriber subscribes to them and confirms. Both compare states instead of
//! passing commands, so no order of attaching, detaching and reconnecting can leave them in disagreement.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use rollcall_protocol::{RoomId, event::EntryRef};
use tokio::sync::{Notify, mpsc, watch};

use super::update::RoomUpdate;
use crate::telemetry::metrics;

/// Most updates that may wait for one session. The session is closed when one more comes.
const FEED_CAPACITY: usize = 1024;

/// Knows which session is in which room.
#[derive(Default)]
pub(crate) struct Hub {
    state: Mutex<State>,
    next_id: AtomicU64,
    /// Counts the connections to Redis.
    generation: AtomicU64,
    changed: Notify,
}

#[derive(Default)]
struct State {
    rooms: HashMap<RoomId, Room>,
    /// Rooms that appeared or disappeared since the subscriber last looked.
    changed: HashSet<RoomId>,
}

struct Room {
    feeds: HashMap<u64, Feed>,
    /// Whether events may have been missed since the last snapshot.
    needs_resync: bool,
    is_subscribed: watch::Sender<bool>,
}

struct Feed {
    updates: mpsc::Sender<RoomUpdate>,
    entry: Option<EntryRef>,
}

/// Attaches a session to a room; dropping it detaches the session.
pub(crate) struct Attachment {
    hub: Arc<Hub>,
    room: RoomId,
    id: u64,
    feed: mpsc::Receiver<RoomUpdate>,
    is_subscribed: watch::Receiver<bool>,
}

impl Hub {
    /// Attaches a session to a room. Events may be missed until [`Attachment::subscribed`] returns.
    pub(crate) fn attach(self: &Arc<Self>, room: RoomId) -> Attachment {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (updates, feed) = mpsc::channel(FEED_CAPACITY);
        let mut state = self.state();
        let State { rooms, changed } = &mut *state;
        let entry = match rooms.entry(room.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                changed.insert(room.clone());
                metrics::record_room_opened();
                self.changed.notify_one();
                let is_subscribed = watch::Sender::new(false);
                entry.insert(Room { feeds: HashMap::new(), needs_resync: false, is_subscribed })
            }
        };
        entry.feeds.insert(id, Feed { updates, entry: None });
        let is_subscribed = entry.is_subscribed.subscribe();
        drop(state);
        Attachment { hub: Arc::clone(self), room, id, feed, is_subscribed }
    }

    fn detach(&self, room: &RoomId, id: u64) {
        let mut state = self.state();
        let Some(entry) = state.rooms.get_mut(room) else { return };
        entry.feeds.remove(&id);
        if !entry.feeds.is_empty() {
            return;
        }
        state.rooms.remove(room);
        metrics::record_room_closed();
        state.changed.insert(room.clone());
        self.changed.notify_one();
    }

    /// Hands an update to all sessions in a room. Never waits: a session whose feed is full loses the feed.
    pub(super) fn broadcast(&self, room: &RoomId, update: &RoomUpdate) {
        let mut state = self.state();
        let Some(entry) = state.rooms.get_mut(room) else { return };
        entry.feeds.retain(|_, feed| feed.updates.try_send(update.clone()).is_ok());
    }

    /// The number of sessions in a room.
    pub(super) fn count_sessions(&self, room: &RoomId) -> usize {
        self.state().rooms.get(room).map_or(0, |room| room.feeds.len())
    }

    /// The entries that sessions hold in a room; `None` if no session is attached to the room.
    pub(super) fn entries(&self, room: &RoomId) -> Option<Vec<EntryRef>> {
        let state = self.state();
        let feeds = state.rooms.get(room)?.feeds.values();
        Some(feeds.filter_map(|feed| feed.entry.clone()).collect())
    }

    /// Waits until rooms have appeared or disappeared. Returns the rooms that are wanted now and those that are not.
    pub(super) async fn changes(&self) -> (Vec<RoomId>, Vec<RoomId>) {
        loop {
            self.changed.notified().await;
            let mut state = self.state();
            let changed = std::mem::take(&mut state.changed);
            if !changed.is_empty() {
                return changed.into_iter().partition(|room| state.rooms.contains_key(room));
            }
        }
    }

    /// The generation of the connection to Redis that events come over.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Starts a new generation: nothing is subscribed yet. Returns all rooms that are wanted.
    pub(super) fn start_generation(&self) -> Vec<RoomId> {
        let mut state = self.state();
        self.generation.fetch_add(1, Ordering::AcqRel);
        state.changed.clear();
        for room in state.rooms.values_mut() {
            room.needs_resync |= room.is_subscribed.send_replace(false);
        }
        state.rooms.keys().cloned().collect()
    }

    /// Records that events of these rooms arrive from now on. Returns the rooms that need a resync.
    pub(super) fn confirm_subscribed(&self, rooms: &[RoomId]) -> Vec<RoomId> {
        let mut state = self.state();
        let mut missed = Vec::new();
        for id in rooms {
            let Some(room) = state.rooms.get_mut(id) else { continue };
            if std::mem::take(&mut room.needs_resync) {
                missed.push(id.clone());
            }
            room.is_subscribed.send_replace(true);
        }
        missed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attachment {
    /// The room that the session is attached to.
    pub(crate) fn room(&self) -> &RoomId {
        &self.room
    }

    /// Waits until no event of the room can be missed any more.
    pub(crate) async fn subscribed(&mut self) {
        // The sender lives as long as the room, and the room lives as long as this attachment.
        let _ = self.is_subscribed.wait_for(|&is| is).await;
    }

    /// Records which entry the session holds.
    pub(crate) fn set_entry(&self, entry: EntryRef) {
        let mut state = self.hub.state();
        if let Some(feed) = state.rooms.get_mut(&self.room).and_then(|room| room.feeds.get_mut(&self.id)) {
            feed.entry = Some(entry);
        }
    }

    /// Waits for the next update. `None` means that the feed was full and is lost.
    pub(crate) async fn next(&mut self) -> Option<RoomUpdate> {
        self.feed.recv().await
    }

    /// The next update, if one waits.
    pub(crate) fn try_next(&mut self) -> Option<RoomUpdate> {
        self.feed.try_recv().ok()
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.hub.detach(&self.room, self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fanout::EncodedEvent;

    fn room(id: &str) -> RoomId {
        id.parse().unwrap()
    }

    fn event(seq: u64) -> RoomUpdate {
        let json = format!(r#"{{"event":"room:started","epoch":1,"seq":{seq},"data":{{}}}}"#);
        RoomUpdate::Event(Arc::new(EncodedEvent::new(serde_json::from_str(&json).unwrap())))
    }

    async fn next_seq(attachment: &mut Attachment) -> Option<u64> {
        let RoomUpdate::Event(event) = attachment.next().await? else { panic!("an event") };
        Some(event.envelope.seq)
    }

    #[tokio::test]
    async fn a_room_is_wanted_while_a_session_is_attached() {
        let hub = Arc::new(Hub::default());
        let mut first = hub.attach(room("r"));
        let second = hub.attach(room("r"));
        assert_eq!(hub.changes().await, (vec![room("r")], vec![]));
        assert!(hub.confirm_subscribed(&[room("r")]).is_empty());
        first.subscribed().await;
        drop(first);
        drop(second);
        assert_eq!(hub.changes().await, (vec![], vec![room("r")]));
    }

    #[tokio::test]
    async fn after_a_reconnect_nothing_counts_as_subscribed() {
        let hub = Arc::new(Hub::default());
        let attachment = hub.attach(room("r"));
        hub.confirm_subscribed(&[room("r")]);
        assert_eq!(hub.start_generation(), [room("r")]);
        assert!(!*attachment.is_subscribed.borrow());
        assert_eq!(hub.start_generation(), [room("r")], "broken again before anything was confirmed");
        assert_eq!(hub.confirm_subscribed(&[room("r")]), [room("r")], "events may have been missed");
        assert!(hub.confirm_subscribed(&[room("r")]).is_empty());
    }

    #[tokio::test]
    async fn only_the_session_that_does_not_keep_up_loses_its_feed() {
        let hub = Arc::new(Hub::default());
        let mut slow = hub.attach(room("r"));
        let mut fast = hub.attach(room("r"));
        let last = FEED_CAPACITY as u64;
        for seq in 0..=last {
            hub.broadcast(&room("r"), &event(seq));
            assert_eq!(next_seq(&mut fast).await, Some(seq));
        }
        for seq in 0..last {
            assert_eq!(next_seq(&mut slow).await, Some(seq));
        }
        assert_eq!(next_seq(&mut slow).await, None);
    }
}

//! Which session is in which room: hands each room's events to the sessions in it.
//!
//! The hub says which rooms it wants; the subscriber makes it so and confirms. Both compare states instead of
//! passing commands, so that no order of attaching, detaching and reconnecting can leave them in disagreement.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use axum::extract::ws::Utf8Bytes;
use engineioxide::Str;
use rollcall_protocol::{EntryId, RoomId, event::Seat, fanout::Envelope};
use tokio::sync::{Notify, mpsc, watch};

use crate::{burst::Burst, telemetry::metrics};

/// How many events may wait for one session. A session that does not keep up is closed.
pub(crate) const FEED_CAPACITY: usize = 1024;

/// One event, shared by all sessions that get it.
pub(crate) struct Delivery {
    pub(crate) envelope: Envelope,
    /// When it came from Redis, by the clock of this bridge: Redis's own may differ.
    pub(crate) received_at: Instant,
    frame: OnceLock<Utf8Bytes>,
    packet: OnceLock<Str>,
}

impl Delivery {
    /// Wraps an event that comes just now.
    pub(crate) fn new(envelope: Envelope) -> Self {
        Self::since(envelope, Instant::now())
    }

    /// Wraps an event that came at a time.
    pub(crate) fn since(envelope: Envelope, received_at: Instant) -> Self {
        Self { envelope, received_at, frame: OnceLock::new(), packet: OnceLock::new() }
    }

    /// The event as a WebSocket frame, written once for all who get it.
    pub(crate) fn frame(&self, write: impl FnOnce(&Envelope) -> Utf8Bytes) -> Utf8Bytes {
        self.frame.get_or_init(|| write(&self.envelope)).clone()
    }

    /// The event as a Socket.IO packet, written once for all who get it.
    pub(crate) fn packet(&self, write: impl FnOnce(&Envelope) -> Str) -> Str {
        self.packet.get_or_init(|| write(&self.envelope)).clone()
    }
}

/// What a session learns of its room.
#[derive(Clone)]
pub(crate) enum Notice {
    /// Something happened.
    Event(Arc<Delivery>),
    /// Members came and went, many at once.
    Burst(Arc<Burst>),
    /// Events may have been missed.
    Reading(Arc<Reading>),
}

/// How things are in a room.
pub(crate) struct Reading {
    /// The room's state, if its session is live.
    pub(crate) state: Option<Delivery>,
    /// The entries that are not current.
    pub(crate) gone: HashSet<EntryId>,
    /// The connection to Redis when it was read.
    pub(crate) connection: u64,
}

/// Which session is in which room.
#[derive(Default)]
pub(crate) struct Hub {
    state: Mutex<State>,
    next_id: AtomicU64,
    connection: AtomicU64,
    changed: Notify,
}

#[derive(Default)]
struct State {
    rooms: HashMap<RoomId, Room>,
    /// Rooms that the subscriber has not looked at since they appeared or went.
    changed: HashSet<RoomId>,
}

struct Room {
    feeds: HashMap<u64, Feed>,
    /// Whether events may have been missed since anybody read it.
    is_behind: bool,
    is_subscribed: watch::Sender<bool>,
}

struct Feed {
    notices: mpsc::Sender<Notice>,
    seat: Option<Seat>,
}

/// A session's place in a room; dropping it leaves the room.
pub(crate) struct Attachment {
    hub: Arc<Hub>,
    room: RoomId,
    id: u64,
    feed: mpsc::Receiver<Notice>,
    is_subscribed: watch::Receiver<bool>,
}

impl Hub {
    /// Puts a session into a room. Events arrive for sure only after [`Attachment::subscribed`].
    pub(crate) fn attach(self: &Arc<Self>, room: RoomId) -> Attachment {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (notices, feed) = mpsc::channel(FEED_CAPACITY);
        let mut state = self.state();
        let State { rooms, changed } = &mut *state;
        let entry = match rooms.entry(room.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                changed.insert(room.clone());
                metrics::room_opened();
                self.changed.notify_one();
                let is_subscribed = watch::Sender::new(false);
                entry.insert(Room { feeds: HashMap::new(), is_behind: false, is_subscribed })
            }
        };
        entry.feeds.insert(id, Feed { notices, seat: None });
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
        metrics::room_closed();
        state.changed.insert(room.clone());
        self.changed.notify_one();
    }

    /// Hands a notice to everybody in a room. Never waits: whoever has no space left loses the feed.
    pub(crate) fn publish(&self, room: &RoomId, notice: &Notice) {
        let mut state = self.state();
        let Some(entry) = state.rooms.get_mut(room) else { return };
        entry.feeds.retain(|_, feed| feed.notices.try_send(notice.clone()).is_ok());
    }

    /// The entries that sessions hold in a room; nothing if no session is in it or about to enter.
    pub(crate) fn seats(&self, room: &RoomId) -> Option<Vec<Seat>> {
        let state = self.state();
        let feeds = state.rooms.get(room)?.feeds.values();
        Some(feeds.filter_map(|feed| feed.seat.clone()).collect())
    }

    /// Waits until rooms have appeared or gone, and takes them: those that are wanted, and those that are not.
    pub(crate) async fn changes(&self) -> (Vec<RoomId>, Vec<RoomId>) {
        loop {
            self.changed.notified().await;
            let mut state = self.state();
            let changed = std::mem::take(&mut state.changed);
            if !changed.is_empty() {
                return changed.into_iter().partition(|room| state.rooms.contains_key(room));
            }
        }
    }

    /// Which connection to Redis events come over: they are counted.
    pub(crate) fn connection(&self) -> u64 {
        self.connection.load(Ordering::Acquire)
    }

    /// Forgets what was subscribed over a former connection, and takes all rooms that are wanted.
    pub(crate) fn start_over(&self) -> Vec<RoomId> {
        let mut state = self.state();
        self.connection.fetch_add(1, Ordering::AcqRel);
        state.changed.clear();
        for room in state.rooms.values_mut() {
            room.is_behind |= room.is_subscribed.send_replace(false);
        }
        state.rooms.keys().cloned().collect()
    }

    /// Notes that events of these rooms arrive from now on. Returns those of which some may have been missed.
    pub(crate) fn confirm(&self, rooms: &[RoomId]) -> Vec<RoomId> {
        let mut state = self.state();
        let mut behind = Vec::new();
        for id in rooms {
            let Some(room) = state.rooms.get_mut(id) else { continue };
            if std::mem::take(&mut room.is_behind) {
                behind.push(id.clone());
            }
            room.is_subscribed.send_replace(true);
        }
        behind
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attachment {
    /// The room.
    pub(crate) fn room(&self) -> &RoomId {
        &self.room
    }

    /// Waits until no event of the room can be missed any more.
    pub(crate) async fn subscribed(&mut self) {
        // The sender lives as long as the room, and the room as long as this.
        let _ = self.is_subscribed.wait_for(|&is| is).await;
    }

    /// Says which entry the session holds.
    pub(crate) fn sit(&self, seat: Seat) {
        let mut state = self.hub.state();
        if let Some(feed) = state.rooms.get_mut(&self.room).and_then(|room| room.feeds.get_mut(&self.id)) {
            feed.seat = Some(seat);
        }
    }

    /// The next notice; none after too many had to wait.
    pub(crate) async fn next(&mut self) -> Option<Notice> {
        self.feed.recv().await
    }

    /// The next notice, if it is there already.
    pub(crate) fn try_next(&mut self) -> Option<Notice> {
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

    fn room(id: &str) -> RoomId {
        id.parse().unwrap()
    }

    fn event(seq: u64) -> Notice {
        let json = format!(r#"{{"event":"room:started","epoch":1,"seq":{seq},"data":{{}}}}"#);
        Notice::Event(Arc::new(Delivery::new(serde_json::from_str(&json).unwrap())))
    }

    async fn next_seq(attachment: &mut Attachment) -> Option<u64> {
        let Notice::Event(delivery) = attachment.next().await? else { panic!("an event") };
        Some(delivery.envelope.seq)
    }

    #[tokio::test]
    async fn a_room_is_subscribed_while_somebody_is_in_it() {
        let hub = Arc::new(Hub::default());
        let mut first = hub.attach(room("r"));
        let second = hub.attach(room("r"));
        assert_eq!(hub.changes().await, (vec![room("r")], vec![]));
        assert!(hub.confirm(&[room("r")]).is_empty());
        first.subscribed().await;
        drop(first);
        drop(second);
        assert_eq!(hub.changes().await, (vec![], vec![room("r")]));
    }

    #[tokio::test]
    async fn after_a_reconnect_nothing_counts_as_subscribed() {
        let hub = Arc::new(Hub::default());
        let attachment = hub.attach(room("r"));
        hub.confirm(&[room("r")]);
        assert_eq!(hub.start_over(), [room("r")]);
        assert!(!*attachment.is_subscribed.borrow());
        assert_eq!(hub.start_over(), [room("r")], "broken again before anything was confirmed");
        assert_eq!(hub.confirm(&[room("r")]), [room("r")], "events may have been missed");
        assert!(hub.confirm(&[room("r")]).is_empty());
    }

    #[tokio::test]
    async fn a_session_that_does_not_keep_up_loses_its_feed_and_no_other_does() {
        let hub = Arc::new(Hub::default());
        let mut slow = hub.attach(room("r"));
        let mut quick = hub.attach(room("r"));
        let last = FEED_CAPACITY as u64;
        for seq in 0..=last {
            hub.publish(&room("r"), &event(seq));
            assert_eq!(next_seq(&mut quick).await, Some(seq));
        }
        for seq in 0..last {
            assert_eq!(next_seq(&mut slow).await, Some(seq));
        }
        assert_eq!(next_seq(&mut slow).await, None);
    }
}

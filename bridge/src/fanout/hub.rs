//! Knows which session is in which room, and hands each room's updates to its sessions.
//!
//! The hub states which rooms it wants over which route; the subscriber of the route subscribes to them and confirms. Both
//! compare states instead of passing commands, so no order of attaching, detaching and reconnecting can leave them in
//! disagreement.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use rollcall_protocol::{RoomId, event::EntryRef};
use tokio::sync::{Notify, mpsc, watch};

use super::{
    routes::{Route, Routes},
    update::RoomUpdate,
};
use crate::telemetry::metrics;

/// Most updates that may wait for one session. The session is closed when one more comes.
const FEED_CAPACITY: usize = 1024;

/// Knows which session is in which room.
#[derive(Default)]
pub(crate) struct Hub {
    state: Mutex<State>,
    next_id: AtomicU64,
    /// The number of shards that have a route each.
    shards: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    rooms: HashMap<RoomId, Room>,
    routes: Routes,
    changes: HashMap<Route, Changes>,
    /// Rises whenever subscriptions begin anew, over any route.
    generation: u64,
}

/// What a subscriber does not know yet.
#[derive(Default)]
struct Changes {
    /// Rooms that appeared on the route, or disappeared from it.
    rooms: HashSet<RoomId>,
    added: Arc<Notify>,
}

struct Room {
    feeds: HashMap<u64, Feed>,
    /// Whether events may have been missed since the last snapshot.
    needs_resync: bool,
    /// The routes over which events arrive.
    confirmed: Vec<Route>,
    subscription: watch::Sender<Subscription>,
}

/// The subscription to a room.
#[derive(Clone, Copy)]
struct Subscription {
    /// Rises whenever the subscription begins anew.
    generation: u64,
    /// Whether events arrive over all routes of the room.
    is_complete: bool,
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
    subscription: watch::Receiver<Subscription>,
}

impl Changes {
    fn add(&mut self, room: &RoomId) {
        self.rooms.insert(room.clone());
        self.added.notify_one();
    }
}

impl Room {
    fn new(generation: u64) -> Self {
        Self {
            feeds: HashMap::new(),
            needs_resync: false,
            confirmed: Vec::new(),
            subscription: watch::Sender::new(Subscription { generation, is_complete: false }),
        }
    }

    /// Begins a subscription that is not complete yet.
    fn renew_subscription(&mut self, generation: u64) {
        let earlier = self.subscription.send_replace(Subscription { generation, is_complete: false });
        self.needs_resync |= earlier.is_complete;
    }

    /// Completes the subscription. Returns whether events may have been missed.
    fn complete_subscription(&mut self) -> bool {
        self.subscription.send_modify(|subscription| subscription.is_complete = true);
        std::mem::take(&mut self.needs_resync)
    }
}

impl Hub {
    /// Attaches a session to a room. Events may be missed until [`Attachment::subscribed`] returns.
    pub(crate) fn attach(self: &Arc<Self>, room: RoomId) -> Attachment {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (updates, feed) = mpsc::channel(FEED_CAPACITY);
        let mut state = self.state();
        let State { rooms, routes, changes, generation } = &mut *state;
        let entry = match rooms.entry(room.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                routes.of(&room).for_each(|route| changes.entry(route).or_default().add(&room));
                metrics::record_room_opened();
                entry.insert(Room::new(*generation))
            }
        };
        entry.feeds.insert(id, Feed { updates, entry: None });
        let subscription = entry.subscription.subscribe();
        drop(state);
        Attachment { hub: Arc::clone(self), room, id, feed, subscription }
    }

    fn detach(&self, room: &RoomId, id: u64) {
        let mut state = self.state();
        let State { rooms, routes, changes, .. } = &mut *state;
        let Some(entry) = rooms.get_mut(room) else { return };
        entry.feeds.remove(&id);
        if !entry.feeds.is_empty() {
            return;
        }
        rooms.remove(room);
        metrics::record_room_closed();
        routes.of(room).for_each(|route| changes.entry(route).or_default().add(room));
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

    /// The generation of the subscription to a room, and the entries that sessions hold in the room; `None` if no session
    /// is attached to the room.
    pub(super) fn entries(&self, room: &RoomId) -> Option<(u64, Vec<EntryRef>)> {
        let state = self.state();
        let room = state.rooms.get(room)?;
        let entries = room.feeds.values().filter_map(|feed| feed.entry.clone()).collect();
        Some((room.subscription.borrow().generation, entries))
    }

    /// Learns from the app over which channels events go: in a cluster, the numbers of shards among which rooms lie;
    /// otherwise none.
    pub(crate) fn learn_layouts(&self, layouts: &[u64]) {
        let mut state = self.state();
        let State { rooms, routes, changes, generation } = &mut *state;
        let earlier = routes.clone();
        if !routes.learn(layouts) {
            return;
        }
        tracing::info!(?layouts, "redis.layouts_changed");
        *generation += 1;
        for (id, room) in rooms {
            let (before, after): (HashSet<_>, HashSet<_>) =
                (earlier.of(id).collect(), routes.of(id).collect());
            before.symmetric_difference(&after).for_each(|&route| changes.entry(route).or_default().add(id));
            if !after.is_subset(&before) {
                room.renew_subscription(*generation);
            }
        }
        self.shards.send_replace(routes.count_shards());
    }

    /// The number of shards that have a route each, which never falls.
    pub(super) fn shards(&self) -> watch::Receiver<u64> {
        self.shards.subscribe()
    }

    /// Waits until rooms have appeared on a route or disappeared from it. Returns the rooms that are wanted now and those
    /// that are not.
    pub(super) async fn changes(&self, route: Route) -> (Vec<RoomId>, Vec<RoomId>) {
        let added = Arc::clone(&self.state().changes.entry(route).or_default().added);
        loop {
            added.notified().await;
            let mut state = self.state();
            let State { rooms, routes, changes, .. } = &mut *state;
            let changed = std::mem::take(&mut changes.entry(route).or_default().rooms);
            if !changed.is_empty() {
                let is_wanted =
                    |room: &RoomId| rooms.contains_key(room) && routes.of(room).any(|of| of == route);
                return changed.into_iter().partition(is_wanted);
            }
        }
    }

    /// Starts a new generation of a route: nothing is subscribed over it yet. Returns all rooms that are wanted.
    pub(super) fn start_generation(&self, route: Route) -> Vec<RoomId> {
        let mut state = self.state();
        let State { rooms, routes, changes, generation } = &mut *state;
        *generation += 1;
        changes.entry(route).or_default().rooms.clear();
        let mut wanted = Vec::new();
        for (id, room) in rooms {
            room.confirmed.retain(|of| *of != route);
            if routes.of(id).any(|of| of == route) {
                room.renew_subscription(*generation);
                wanted.push(id.clone());
            }
        }
        wanted
    }

    /// Records that events of these rooms arrive over a route from now on. Returns the rooms that need a resync.
    pub(super) fn confirm_subscribed(&self, route: Route, rooms: &[RoomId]) -> Vec<RoomId> {
        let mut state = self.state();
        let State { rooms: known, routes, .. } = &mut *state;
        let mut missed = Vec::new();
        for id in rooms {
            let Some(room) = known.get_mut(id) else { continue };
            if !room.confirmed.contains(&route) {
                room.confirmed.push(route);
            }
            let is_complete = routes.of(id).all(|route| room.confirmed.contains(&route));
            if is_complete && room.complete_subscription() {
                missed.push(id.clone());
            }
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
        let _ = self.subscription.wait_for(|subscription| subscription.is_complete).await;
    }

    /// The generation of the subscription over which events come.
    pub(crate) fn generation(&self) -> u64 {
        self.subscription.borrow().generation
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
    use rollcall_protocol::shard::shard_of;

    use super::*;
    use crate::fanout::EncodedEvent;

    const ALGEBRA: Route = Route::Shard(6);

    fn room(id: &str) -> RoomId {
        id.parse().unwrap()
    }

    fn event(seq: u64) -> RoomUpdate {
        let json = format!(r#"{{"event":"room:started","epoch":1,"seq":{seq},"data":{{}}}}"#);
        RoomUpdate::Event(Arc::new(EncodedEvent::new(serde_json::from_str(&json).unwrap())))
    }

    fn is_subscribed(attachment: &Attachment) -> bool {
        attachment.subscription.borrow().is_complete
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
        assert_eq!(hub.changes(Route::Plain).await, (vec![room("r")], vec![]));
        assert!(hub.confirm_subscribed(Route::Plain, &[room("r")]).is_empty());
        first.subscribed().await;
        drop(first);
        drop(second);
        assert_eq!(hub.changes(Route::Plain).await, (vec![], vec![room("r")]));
    }

    #[tokio::test]
    async fn after_a_reconnect_nothing_counts_as_subscribed() {
        let hub = Arc::new(Hub::default());
        let attachment = hub.attach(room("r"));
        hub.confirm_subscribed(Route::Plain, &[room("r")]);
        assert_eq!(hub.start_generation(Route::Plain), [room("r")]);
        assert!(!is_subscribed(&attachment));
        assert_eq!(
            hub.start_generation(Route::Plain),
            [room("r")],
            "broken again before anything was confirmed"
        );
        assert_eq!(
            hub.confirm_subscribed(Route::Plain, &[room("r")]),
            [room("r")],
            "events may have been missed"
        );
        assert!(hub.confirm_subscribed(Route::Plain, &[room("r")]).is_empty());
    }

    #[tokio::test]
    async fn in_a_cluster_the_shard_of_a_room_is_its_route() {
        let hub = Arc::new(Hub::default());
        let attachment = hub.attach(room("algebra"));
        assert_eq!(hub.changes(Route::Plain).await, (vec![room("algebra")], vec![]));
        assert!(hub.confirm_subscribed(Route::Plain, &[room("algebra")]).is_empty());
        hub.learn_layouts(&[16]);
        assert!(!is_subscribed(&attachment), "what is published goes over another channel");
        assert_eq!(hub.changes(Route::Plain).await, (vec![], vec![room("algebra")]));
        assert_eq!(hub.changes(ALGEBRA).await, (vec![room("algebra")], vec![]));
        assert_eq!(hub.confirm_subscribed(ALGEBRA, &[room("algebra")]), [room("algebra")]);
        assert!(is_subscribed(&attachment));
    }

    #[tokio::test]
    async fn a_shard_that_begins_anew_leaves_the_rooms_of_other_shards_alone() {
        let hub = Arc::new(Hub::default());
        hub.learn_layouts(&[16]);
        let (mine, other) = (hub.attach(room("algebra")), hub.attach(room("biology")));
        let rooms = [room("algebra"), room("biology")];
        (0..16).for_each(|shard| drop(hub.confirm_subscribed(Route::Shard(shard), &rooms)));
        let before = (mine.generation(), other.generation());
        assert_eq!(hub.start_generation(ALGEBRA), [room("algebra")]);
        assert!(!is_subscribed(&mine) && is_subscribed(&other));
        assert!(mine.generation() > before.0 && other.generation() == before.1);
        let late = hub.attach(room("chemistry"));
        assert_eq!(
            late.generation(),
            mine.generation(),
            "a room that comes back never has an older generation"
        );
    }

    #[tokio::test]
    async fn while_the_shards_grow_events_may_come_from_both_shards_of_a_room() {
        let hub = Arc::new(Hub::default());
        hub.learn_layouts(&[16]);
        let attachment = hub.attach(room("algebra"));
        hub.confirm_subscribed(ALGEBRA, &[room("algebra")]);
        assert!(is_subscribed(&attachment));
        hub.learn_layouts(&[16, 64]);
        let new = Route::Shard(shard_of(&room("algebra"), 64));
        assert!(new != ALGEBRA && !is_subscribed(&attachment));
        assert_eq!(hub.confirm_subscribed(new, &[room("algebra")]), [room("algebra")]);
        assert!(is_subscribed(&attachment), "the earlier one was there all the time");
        hub.learn_layouts(&[64]);
        assert!(is_subscribed(&attachment), "other instances of the app may still use the earlier shard");
        hub.start_generation(ALGEBRA);
        assert!(!is_subscribed(&attachment));
        assert_eq!(hub.confirm_subscribed(ALGEBRA, &[room("algebra")]), [room("algebra")]);
        assert_eq!(*hub.shards().borrow(), 64);
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

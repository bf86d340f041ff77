//! Which rooms clients watch, and how many are in each.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rollcall_protocol::{
    ErrorCode, Refusal, RoomId,
    lobby::{RoomCount, RoomCounts},
};
use tokio::sync::{Notify, watch};

/// The most rooms that all clients of a bridge watch together: a hundred calls for each interval.
const MAX_WATCHED: usize = 10_000;

/// The count of a room at a time of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counted {
    pub(super) count: u32,
    pub(super) end_at: Option<u64>,
    pub(super) at: u64,
}

impl Counted {
    /// Whether a client sees the same.
    pub(super) fn looks_like(&self, other: &Self) -> bool {
        (self.count, self.end_at) == (other.count, other.end_at)
    }
}

/// The latest counts of the watched rooms.
pub(super) type Counts = HashMap<RoomId, Counted>;

/// The rooms that clients of this bridge watch, and their counts.
#[derive(Default)]
pub(super) struct Board {
    /// How many clients watch each room.
    watched: Mutex<HashMap<RoomId, usize>>,
    /// Wakes who waits until somebody watches a room.
    begun: Notify,
    counts: watch::Sender<Arc<Counts>>,
    /// Whether a count looks different of which clients have not heard.
    is_news: AtomicBool,
}

impl Board {
    /// Counts one more watcher of rooms.
    pub(super) fn add(&self, ids: &[RoomId]) -> Result<(), Refusal> {
        let mut watched = self.lock();
        let new = ids.iter().filter(|id| !watched.contains_key(*id)).count();
        if watched.len() + new > MAX_WATCHED {
            return Err(ErrorCode::Overloaded.into());
        }
        for id in ids {
            *watched.entry(id.clone()).or_default() += 1;
        }
        self.begun.notify_one();
        Ok(())
    }

    /// Counts one watcher less.
    pub(super) fn remove(&self, ids: &[RoomId]) {
        let mut watched = self.lock();
        for id in ids {
            if let Some(watchers) = watched.get_mut(id) {
                *watchers -= 1;
                if *watchers == 0 {
                    watched.remove(id);
                }
            }
        }
    }

    /// The counts, and those that follow.
    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<Counts>> {
        self.counts.subscribe()
    }

    /// Waits until somebody watches a room. Returns all watched rooms.
    pub(super) async fn watched(&self) -> Vec<RoomId> {
        loop {
            let watched: Vec<RoomId> = self.lock().keys().cloned().collect();
            if !watched.is_empty() {
                return watched;
            }
            self.publish(Counts::new());
            self.begun.notified().await;
        }
    }

    /// Replaces older counts, and wakes the clients if one looks different. Forgets rooms that nobody watches.
    pub(super) fn publish(&self, found: Counts) {
        self.replace(found);
        let is_news = self.is_news.swap(false, Ordering::Relaxed);
        self.counts.send_if_modified(|_| is_news);
    }

    /// Replaces older counts, of which clients hear with the next that are published: one client that watches ever other
    /// rooms must not wake all of them each time.
    pub(super) fn replace(&self, found: Counts) {
        self.counts.send_if_modified(|shown| {
            let mut counts = Counts::clone(shown);
            let mut is_changed = false;
            for (id, counted) in found {
                let earlier = counts.get(&id);
                if earlier.is_some_and(|earlier| earlier.at > counted.at) {
                    continue;
                }
                is_changed |= earlier.is_none_or(|earlier| !earlier.looks_like(&counted));
                counts.insert(id, counted);
            }
            let watched = self.lock();
            counts.retain(|id, _| watched.contains_key(id));
            *shown = Arc::new(counts);
            self.is_news.fetch_or(is_changed, Ordering::Relaxed);
            false
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RoomId, usize>> {
        // Nothing panics while it holds the lock.
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The counts of an answer, by room.
pub(super) fn read(counts: &RoomCounts) -> impl Iterator<Item = (RoomId, Counted)> {
    let at = counts.now.unwrap_or_default();
    counts.rooms.iter().map(move |RoomCount { id, count, end_at }| {
        (id.clone(), Counted { count: *count, end_at: *end_at, at })
    })
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn ids(range: std::ops::Range<usize>) -> Vec<RoomId> {
        range.map(|number| format!("room-{number}").parse().unwrap()).collect()
    }

    #[test]
    fn a_room_is_watched_until_its_last_watcher_is_gone() {
        let board = Board::default();
        assert_eq!(board.watched().now_or_never(), None);
        board.add(&ids(0..2)).unwrap();
        board.add(&ids(1..2)).unwrap();
        board.remove(&ids(0..2));
        assert_eq!(board.watched().now_or_never(), Some(ids(1..2)));
        board.remove(&ids(1..2));
        assert_eq!(board.watched().now_or_never(), None);
    }

    #[test]
    fn a_bridge_watches_so_many_rooms_however_many_clients_watch_them() {
        let board = Board::default();
        board.add(&ids(0..MAX_WATCHED)).unwrap();
        board.add(&ids(0..100)).unwrap();
        assert_eq!(board.add(&ids(MAX_WATCHED..MAX_WATCHED + 1)).unwrap_err().code, ErrorCode::Overloaded);
        board.remove(&ids(100..101));
        board.add(&ids(MAX_WATCHED..MAX_WATCHED + 1)).unwrap();
    }

    #[test]
    fn counts_that_one_client_asks_for_wake_the_others_only_with_the_next_that_are_published() {
        let board = Board::default();
        board.add(&ids(0..1)).unwrap();
        let mut counts = board.subscribe();
        board.replace(Counts::from([(ids(0..1).remove(0), Counted { count: 1, end_at: None, at: 10 })]));
        assert_eq!(counts.borrow().len(), 1);
        assert!(counts.changed().now_or_never().is_none());
        board.publish(Counts::new());
        assert!(counts.changed().now_or_never().is_some());
        board.publish(Counts::new());
        assert!(counts.changed().now_or_never().is_none());
    }

    #[test]
    fn counts_wake_clients_if_they_look_different_and_older_ones_never_do() {
        let board = Board::default();
        board.add(&ids(0..1)).unwrap();
        let mut counts = board.subscribe();
        let mut publish = |number: usize, count, at| {
            let id = ids(number..number + 1).remove(0);
            board.publish(Counts::from([(id, Counted { count, end_at: None, at })]));
            counts.changed().now_or_never().is_some()
        };
        assert!(publish(0, 3, 10));
        assert!(!publish(0, 3, 20), "the same");
        assert!(!publish(0, 2, 19), "an older one");
        assert!(publish(0, 2, 20));
        publish(7, 1, 30);
        assert_eq!(board.subscribe().borrow().len(), 1, "nobody watches the other room");
    }
}

//! How many are in each of the watched rooms.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use rollcall_protocol::{
    Refusal, RoomId, UserId,
    lobby::{RoomCount, RoomCounts},
};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::watched::Watched;

/// A request to the app for counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    /// Later requests have higher numbers. The time of Redis does not tell which of two answers is newer, because it may
    /// step back, and servers differ.
    number: u64,
    began: Instant,
}

/// What a client sees of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) count: u32,
    pub(super) end_at: Option<u64>,
}

/// The count of a room.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    pub(super) shown: Shown,
    /// The time of Redis.
    pub(super) now: Option<u64>,
    request: Request,
}

impl Counted {
    /// The later one is of the later request.
    pub(super) fn order(&self) -> u64 {
        self.request.number
    }
}

/// The latest counts of the watched rooms.
pub(super) type Counts = HashMap<RoomId, Counted>;

/// The rooms that clients of this bridge watch, and their counts.
pub(super) struct Board {
    watched: Mutex<Watched>,
    /// Wakes who waits until somebody watches a room.
    begun: Notify,
    counts: RwLock<Counts>,
    /// How old a count may be that a client gets without a request to the app.
    max_age: Duration,
    last_request: AtomicU64,
    /// Whether a count looks different of which clients have not heard.
    is_news: AtomicBool,
    /// Wakes all clients.
    news: watch::Sender<()>,
}

impl Board {
    pub(super) fn new(max_age: Duration) -> Self {
        Self {
            watched: Mutex::default(),
            begun: Notify::new(),
            counts: RwLock::default(),
            max_age,
            last_request: AtomicU64::new(0),
            is_news: AtomicBool::new(false),
            news: watch::Sender::default(),
        }
    }

    /// Adds a watch of a user, which replaces another one.
    pub(super) fn add(
        &self,
        user: &UserId,
        ids: &[Arc<RoomId>],
        replaced: &[Arc<RoomId>],
    ) -> Result<(), Refusal> {
        self.watched().add(user, ids, replaced)?;
        self.begun.notify_one();
        Ok(())
    }

    /// Removes a watch of a user.
    pub(super) fn remove(&self, user: &UserId, ids: &[Arc<RoomId>]) {
        self.watched().remove(user, ids);
    }

    /// Changes when there is news.
    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    /// All watched rooms.
    pub(super) fn rooms(&self) -> Vec<RoomId> {
        self.watched().rooms()
    }

    /// Waits until somebody watches a room.
    pub(super) async fn begun(&self) {
        while self.watched().is_empty() {
            self.clear();
            self.begun.notified().await;
        }
    }

    /// Begins a request to the app.
    pub(super) fn begin_request(&self) -> Request {
        let number = self.last_request.fetch_add(1, Ordering::Relaxed) + 1;
        Request { number, began: Instant::now() }
    }

    /// Enters the answer to a request for rooms, or that there is none. Rooms without an answer have no count from then on:
    /// nobody knows how old it would become. Clients hear of changes with the next announcement: one client that watches
    /// ever other rooms must not wake all of them each time.
    pub(super) fn enter(&self, request: Request, ids: &[RoomId], answer: Option<&RoomCounts>) {
        let now = answer.and_then(|answer| answer.now);
        let answered = answer.map(|answer| answer.rooms.as_slice()).unwrap_or_default();
        let answered: HashMap<_, _> = answered.iter().map(|room| (&room.id, room)).collect();
        let mut counts = self.counts_mut();
        for id in ids {
            let earlier = counts.get(id);
            if earlier.is_some_and(|earlier| earlier.order() > request.number) {
                continue;
            }
            let Some(&&RoomCount { count, end_at, .. }) = answered.get(id) else {
                counts.remove(id);
                continue;
            };
            let shown = Shown { count, end_at };
            if earlier.is_none_or(|earlier| earlier.shown != shown) {
                self.is_news.store(true, Ordering::Relaxed);
            }
            counts.insert(id.clone(), Counted { shown, now, request });
        }
    }

    /// Forgets all counts.
    pub(super) fn clear(&self) {
        self.counts_mut().clear();
    }

    /// Wakes the clients if a count looks different. Forgets rooms that nobody watches.
    pub(super) fn announce(&self) {
        let watched = self.watched();
        self.counts_mut().retain(|id, _| watched.contains(id));
        drop(watched);
        if self.is_news.swap(false, Ordering::Relaxed) {
            self.news.send_replace(());
        }
    }

    /// Those of some rooms whose counts are missing or old.
    pub(super) fn find_missing(&self, ids: &[Arc<RoomId>]) -> Vec<RoomId> {
        let counts = self.counts();
        let is_fresh = |counted: &Counted| counted.request.began.elapsed() <= self.max_age;
        let is_missing = |id: &&Arc<RoomId>| !counts.get(&***id).is_some_and(is_fresh);
        ids.iter().filter(is_missing).map(|id| RoomId::clone(id)).collect()
    }

    pub(super) fn counts(&self) -> RwLockReadGuard<'_, Counts> {
        self.counts.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn counts_mut(&self) -> RwLockWriteGuard<'_, Counts> {
        self.counts.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        // Nothing panics while it holds a lock.
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const MAX_AGE: Duration = Duration::from_secs(6);

    struct Fixture {
        board: Board,
        ids: Vec<RoomId>,
    }

    impl Fixture {
        fn watching(ids: &[&str]) -> Self {
            let ids: Vec<RoomId> = ids.iter().map(|id| id.parse().unwrap()).collect();
            let fixture = Self { board: Board::new(MAX_AGE), ids };
            fixture.board.add(&user(), &fixture.shared(), &[]).unwrap();
            fixture
        }

        fn shared(&self) -> Vec<Arc<RoomId>> {
            self.ids.iter().cloned().map(Arc::new).collect()
        }

        /// Enters an answer with these counts, in the order of the rooms.
        fn answer(&self, request: Request, counts: &[u32]) {
            let rooms = self.ids.iter().zip(counts);
            let rooms = rooms.map(|(id, &count)| RoomCount { id: id.clone(), count, end_at: None }).collect();
            self.board.enter(request, &self.ids, Some(&RoomCounts { rooms, now: Some(1) }));
        }

        fn counts(&self) -> Vec<Option<u32>> {
            let counts = self.board.counts();
            self.ids.iter().map(|id| Some(counts.get(id)?.shown.count)).collect()
        }

        fn find_missing(&self) -> Vec<String> {
            self.board.find_missing(&self.shared()).iter().map(ToString::to_string).collect()
        }
    }

    fn user() -> UserId {
        "kim".parse().unwrap()
    }

    #[test]
    fn whoever_waits_for_watched_rooms_waits_while_there_are_none() {
        let fixture = Fixture::watching(&["a"]);
        assert!(fixture.board.begun().now_or_never().is_some());
        fixture.board.remove(&user(), &fixture.shared());
        assert!(fixture.board.begun().now_or_never().is_none());
    }

    #[test]
    fn an_answer_wakes_clients_with_the_next_announcement_if_a_count_looks_different() {
        let fixture = Fixture::watching(&["a"]);
        let mut news = fixture.board.subscribe();
        let mut is_announced = |count| {
            fixture.answer(fixture.board.begin_request(), &[count]);
            assert!(news.changed().now_or_never().is_none());
            fixture.board.announce();
            news.changed().now_or_never().is_some()
        };
        assert!(is_announced(3));
        assert!(!is_announced(3), "the same");
        assert!(is_announced(2));
    }

    #[test]
    fn an_answer_to_an_earlier_request_that_comes_later_changes_nothing() {
        let fixture = Fixture::watching(&["a", "b"]);
        let (earlier, later) = (fixture.board.begin_request(), fixture.board.begin_request());
        fixture.answer(later, &[1, 0]);
        fixture.answer(earlier, &[2, 2]);
        assert_eq!(fixture.counts(), [Some(1), Some(0)]);
        fixture.board.enter(earlier, &fixture.ids, None);
        assert_eq!(fixture.counts(), [Some(1), Some(0)]);
    }

    #[test]
    fn a_room_without_an_answer_has_no_count() {
        let fixture = Fixture::watching(&["a", "b"]);
        fixture.answer(fixture.board.begin_request(), &[1, 2]);
        fixture.answer(fixture.board.begin_request(), &[3]);
        assert_eq!((fixture.counts(), fixture.find_missing()), (vec![Some(3), None], vec!["b".to_owned()]));
        fixture.board.enter(fixture.board.begin_request(), &fixture.ids, None);
        assert_eq!(fixture.counts(), [None, None]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_count_counts_as_missing() {
        let fixture = Fixture::watching(&["a"]);
        let request = fixture.board.begin_request();
        tokio::time::advance(MAX_AGE).await;
        fixture.answer(request, &[1]);
        assert!(fixture.find_missing().is_empty());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(fixture.find_missing(), ["a"]);
    }

    #[test]
    fn a_room_that_nobody_watches_is_forgotten_with_the_next_announcement() {
        let fixture = Fixture::watching(&["a"]);
        fixture.answer(fixture.board.begin_request(), &[1]);
        fixture.board.announce();
        assert_eq!(fixture.counts(), [Some(1)]);
        fixture.board.remove(&user(), &fixture.shared());
        fixture.board.announce();
        assert_eq!(fixture.counts(), [None]);
    }
}

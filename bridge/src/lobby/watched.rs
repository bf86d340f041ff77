//! Which rooms clients watch, and how many they may be.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    sync::Arc,
};

use rollcall_protocol::{ErrorCode, Refusal, RoomId, UserId};

/// The most rooms that all clients of a bridge watch together: a hundred calls for each interval.
const MAX_ROOMS: usize = 10_000;

/// The most rooms that all clients of one user watch together: those of five full pages.
const MAX_ROOMS_OF_USER: usize = 500;

/// The rooms that clients watch, however many clients watch each.
#[derive(Default)]
pub(super) struct Watched {
    all: Counter<Arc<RoomId>>,
    users: HashMap<UserId, Counter<Arc<RoomId>>>,
}

impl Watched {
    /// Adds the rooms of a watch, if there is room for them once the watch that it replaces is removed.
    pub(super) fn add(
        &mut self,
        user: &UserId,
        ids: &[Arc<RoomId>],
        replaced: &[Arc<RoomId>],
    ) -> Result<(), Refusal> {
        let of_user =
            self.users.get(user).map_or_else(|| ids.len(), |of_user| of_user.len_after(ids, replaced));
        if of_user > MAX_ROOMS_OF_USER {
            let message =
                format!("One user may watch {MAX_ROOMS_OF_USER} rooms at once; end another watch first.");
            return Err(Refusal::because(ErrorCode::Overloaded, message));
        }
        if self.all.len_after(ids, replaced) > MAX_ROOMS {
            return Err(ErrorCode::Overloaded.into());
        }
        self.all.add(ids);
        self.users.entry(user.clone()).or_default().add(ids);
        Ok(())
    }

    /// Removes the rooms of a watch.
    pub(super) fn remove(&mut self, user: &UserId, ids: &[Arc<RoomId>]) {
        self.all.remove(ids);
        if let Some(of_user) = self.users.get_mut(user) {
            of_user.remove(ids);
            if of_user.0.is_empty() {
                self.users.remove(user);
            }
        }
    }

    pub(super) fn contains(&self, id: &RoomId) -> bool {
        self.all.0.contains_key(id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.0.is_empty()
    }

    /// All rooms, each once.
    pub(super) fn rooms(&self) -> Vec<RoomId> {
        self.all.0.keys().map(|id| RoomId::clone(id)).collect()
    }
}

/// Counts how often each key is held. A key that is not held takes no memory.
struct Counter<K>(HashMap<K, usize>);

impl<K> Default for Counter<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash + Clone> Counter<K> {
    /// How many keys there are once some are added, and others are removed after that.
    fn len_after(&self, added: &[K], removed: &[K]) -> usize {
        let new = added.iter().filter(|key| !self.0.contains_key(key)).count();
        let added: HashSet<&K> = added.iter().collect();
        let is_freed = |key: &&K| self.0.get(*key) == Some(&1) && !added.contains(key);
        self.0.len() + new - removed.iter().filter(is_freed).count()
    }

    fn add(&mut self, keys: &[K]) {
        for key in keys {
            *self.0.entry(key.clone()).or_default() += 1;
        }
    }

    fn remove(&mut self, keys: &[K]) {
        for key in keys {
            if let Some(count) = self.0.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    self.0.remove(key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;

    fn user(number: usize) -> UserId {
        format!("user-{number}").parse().unwrap()
    }

    fn ids(range: Range<usize>) -> Vec<Arc<RoomId>> {
        range.map(|number| Arc::new(format!("room-{number}").parse().unwrap())).collect()
    }

    /// As many rooms as all clients may watch, shared by as few users as possible.
    fn full() -> Watched {
        let mut watched = Watched::default();
        for number in 0..MAX_ROOMS / MAX_ROOMS_OF_USER {
            let first = number * MAX_ROOMS_OF_USER;
            watched.add(&user(number), &ids(first..first + MAX_ROOMS_OF_USER), &[]).unwrap();
        }
        watched
    }

    fn code(outcome: Result<(), Refusal>) -> Option<ErrorCode> {
        outcome.err().map(|refusal| refusal.code)
    }

    #[test]
    fn a_room_is_watched_until_its_last_watcher_is_gone() {
        let mut watched = Watched::default();
        watched.add(&user(0), &ids(0..2), &[]).unwrap();
        watched.add(&user(1), &ids(1..2), &[]).unwrap();
        watched.remove(&user(0), &ids(0..2));
        assert_eq!(watched.rooms(), ["room-1".parse().unwrap()]);
        watched.remove(&user(1), &ids(1..2));
        assert!(watched.rooms().is_empty() && watched.users.is_empty());
    }

    #[test]
    fn a_bridge_watches_so_many_rooms_however_many_clients_watch_them() {
        let (mut watched, stranger) = (full(), user(MAX_ROOMS));
        watched.add(&stranger, &ids(0..100), &[]).unwrap();
        let another = ids(MAX_ROOMS..MAX_ROOMS + 1);
        assert_eq!(code(watched.add(&stranger, &another, &[])), Some(ErrorCode::Overloaded));
        watched.remove(&user(0), &ids(0..MAX_ROOMS_OF_USER));
        watched.add(&stranger, &another, &[]).unwrap();
    }

    #[test]
    fn a_user_watches_so_many_rooms_however_many_sockets_watch_them() {
        let mut watched = Watched::default();
        watched.add(&user(0), &ids(0..MAX_ROOMS_OF_USER), &[]).unwrap();
        watched.add(&user(0), &ids(0..100), &[]).unwrap();
        let another = ids(MAX_ROOMS_OF_USER..MAX_ROOMS_OF_USER + 1);
        assert_eq!(code(watched.add(&user(0), &another, &[])), Some(ErrorCode::Overloaded));
        watched.add(&user(1), &another, &[]).unwrap();
    }

    #[test]
    fn a_watch_that_replaces_another_one_needs_room_for_what_it_adds_only() {
        let mut watched = full();
        let (own, others) = (ids(0..100), ids(MAX_ROOMS..MAX_ROOMS + 100));
        watched.remove(&user(0), &own);
        watched.add(&user(0), &own, &[]).unwrap();
        watched.add(&user(0), &others, &own).unwrap();
        watched.remove(&user(0), &own);
        assert_eq!(watched.rooms().len(), MAX_ROOMS);
        watched.add(&user(0), &others[..50], &others).unwrap();
        watched.remove(&user(0), &others);
        assert_eq!(watched.rooms().len(), MAX_ROOMS - 50);
        assert_eq!(code(watched.add(&user(1), &own, &ids(500..549))), Some(ErrorCode::Overloaded));
    }

    #[test]
    fn a_replaced_room_that_others_watch_makes_no_room() {
        let mut watched = full();
        let (shared, another) = (ids(0..1), ids(MAX_ROOMS..MAX_ROOMS + 1));
        watched.add(&user(MAX_ROOMS), &shared, &[]).unwrap();
        assert_eq!(code(watched.add(&user(MAX_ROOMS), &another, &shared)), Some(ErrorCode::Overloaded));
    }
}

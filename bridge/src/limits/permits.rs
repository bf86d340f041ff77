//! Counts what somebody holds, up to a limit.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How much each of many holds.
pub(crate) struct Tally<K> {
    max: usize,
    held: Arc<Mutex<HashMap<K, usize>>>,
}

/// One thing that is held, until this is dropped.
pub(crate) struct Guard<K: Eq + Hash> {
    held: Arc<Mutex<HashMap<K, usize>>>,
    key: K,
}

impl<K: Eq + Hash + Clone> Tally<K> {
    /// Lets each hold so much.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, held: Arc::default() }
    }

    /// Counts one more, unless it is one too many.
    pub(crate) fn enter(&self, key: K) -> Option<Guard<K>> {
        let mut held = lock(&self.held);
        let count = held.entry(key.clone()).or_default();
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(Guard { held: Arc::clone(&self.held), key })
    }
}

impl<K: Eq + Hash> Drop for Guard<K> {
    fn drop(&mut self) {
        let mut held = lock(&self.held);
        let Some(count) = held.get_mut(&self.key) else { return };
        *count -= 1;
        if *count == 0 {
            held.remove(&self.key);
        }
    }
}

fn lock<K>(held: &Mutex<HashMap<K, usize>>) -> MutexGuard<'_, HashMap<K, usize>> {
    // Nothing panics while it holds the lock.
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_holds_up_to_the_limit() {
        let tally = Tally::new(2);
        let kim = [tally.enter("kim"), tally.enter("kim")];
        assert!(kim.iter().all(Option::is_some));
        assert!(tally.enter("kim").is_none());
        assert!(tally.enter("lee").is_some());
        drop(kim);
        assert!(tally.enter("kim").is_some());
    }

    #[test]
    fn who_holds_nothing_takes_no_memory() {
        let tally = Tally::new(1);
        drop(tally.enter("kim"));
        drop((tally.enter("lee"), tally.enter("lee")));
        assert!(lock(&tally.held).is_empty());
    }
}

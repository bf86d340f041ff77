//! Counts what each key holds, up to a limit.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Number of permits that each key holds. A key without permits takes no memory.
type Counts<K> = Arc<Mutex<HashMap<K, usize>>>;

/// Hands out permits: at most `max` per key at the same time.
pub(crate) struct Permits<K> {
    max: usize,
    counts: Counts<K>,
}

/// One permit; dropping it gives it back.
pub(crate) struct Permit<K: Eq + Hash> {
    counts: Counts<K>,
    key: K,
}

impl<K: Eq + Hash + Clone> Permits<K> {
    /// Allows each key `max` permits at the same time.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, counts: Arc::default() }
    }

    /// Takes one permit; `None` if the key holds `max` already.
    pub(crate) fn try_acquire(&self, key: K) -> Option<Permit<K>> {
        let mut counts = lock(&self.counts);
        let count = counts.entry(key.clone()).or_default();
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(Permit { counts: Arc::clone(&self.counts), key })
    }
}

impl<K: Eq + Hash> Drop for Permit<K> {
    fn drop(&mut self) {
        let mut counts = lock(&self.counts);
        let Some(count) = counts.get_mut(&self.key) else { return };
        *count -= 1;
        if *count == 0 {
            counts.remove(&self.key);
        }
    }
}

fn lock<K>(counts: &Mutex<HashMap<K, usize>>) -> MutexGuard<'_, HashMap<K, usize>> {
    // Nothing panics while it holds the lock.
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_holds_up_to_the_limit() {
        let permits = Permits::new(2);
        let kim = [permits.try_acquire("kim"), permits.try_acquire("kim")];
        assert!(kim.iter().all(Option::is_some));
        assert!(permits.try_acquire("kim").is_none());
        assert!(permits.try_acquire("lee").is_some());
        drop(kim);
        assert!(permits.try_acquire("kim").is_some());
    }

    #[test]
    fn a_key_without_permits_takes_no_memory() {
        let permits = Permits::new(1);
        drop(permits.try_acquire("kim"));
        drop((permits.try_acquire("lee"), permits.try_acquire("lee")));
        assert!(lock(&permits.counts).is_empty());
    }
}

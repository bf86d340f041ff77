//! What happens when, in simulated seconds.

use std::collections::BTreeMap;

/// Seconds of simulated time since the beginning.
pub type Second = u32;

/// Events by the second in which they happen.
#[derive(Debug)]
pub struct Calendar<T>(BTreeMap<Second, Vec<T>>);

impl<T> Calendar<T> {
    /// A calendar without events.
    pub fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds an event.
    pub fn schedule(&mut self, at: Second, event: T) {
        self.0.entry(at).or_default().push(event);
    }

    /// The next second that has any events.
    pub fn next_at(&self) -> Option<Second> {
        self.0.first_key_value().map(|(at, _)| *at)
    }

    /// Takes all events of the next second that has any.
    pub fn take_next(&mut self) -> Option<(Second, Vec<T>)> {
        self.0.pop_first()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_come_in_order_and_those_without_events_are_skipped() {
        let mut calendar = Calendar::new();
        for (at, event) in [(9, "c"), (2, "a"), (9, "d")] {
            calendar.schedule(at, event);
        }
        assert_eq!(calendar.next_at(), Some(2));
        assert_eq!(calendar.take_next(), Some((2, vec!["a"])));
        calendar.schedule(3, "b");
        assert_eq!(calendar.take_next(), Some((3, vec!["b"])));
        assert_eq!(calendar.take_next(), Some((9, vec!["c", "d"])));
        assert_eq!(calendar.take_next(), None);
    }
}

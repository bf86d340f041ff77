//! Which events of a room a session has not had yet.

use rollcall_protocol::{EntryId, fanout::Envelope};

/// Lets through what the ack of `room:join` did not include, and notices what is missing.
pub(super) struct Filter {
    /// The entry whose ack the client has: it does not hear of it again.
    acked: EntryId,
    epoch: u64,
    seq: u64,
    has_gap: bool,
}

impl Filter {
    /// For an entry whose ack included everything up to a position, epoch and seq.
    pub(super) fn new(acked: EntryId, (epoch, seq): (u64, u64)) -> Self {
        Self { acked, epoch, seq, has_gap: false }
    }

    /// Whether the client is to get an event that the whole room gets.
    pub(super) fn admits(&mut self, envelope: &Envelope) -> bool {
        let Envelope { epoch, seq, .. } = *envelope;
        if (epoch, seq) <= (self.epoch, self.seq) {
            return false;
        }
        let expected = if epoch == self.epoch { self.seq + 1 } else { 1 };
        self.has_gap |= seq != expected;
        (self.epoch, self.seq) = (epoch, seq);
        envelope.except.as_ref() != Some(&self.acked)
    }

    /// Whether the client can get changes together instead of each by itself: they follow what it has, and none of
    /// them is one that it does not hear of.
    pub(super) fn admits_together<'a>(
        &mut self,
        mut events: impl Iterator<Item = &'a Envelope> + Clone,
    ) -> bool {
        let follows =
            events.clone().next().is_some_and(|first| (first.epoch, first.seq) == (self.epoch, self.seq + 1));
        let is_for_all = events.clone().all(|event| event.except.as_ref() != Some(&self.acked));
        follows && is_for_all && events.all(|event| self.admits(event))
    }

    /// Whether events have been missed since the last state.
    pub(super) fn has_gap(&self) -> bool {
        self.has_gap
    }

    /// Whether the client is to get the room's state: not if it is behind what the client has, or says nothing new.
    pub(super) fn admits_state(&mut self, state: &Envelope) -> bool {
        let (position, known) = ((state.epoch, state.seq), (self.epoch, self.seq));
        let is_news = position > known || (self.has_gap && position == known);
        if is_news {
            (self.epoch, self.seq) = position;
            self.has_gap = false;
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(epoch: u64, seq: u64, except: Option<&str>) -> Envelope {
        serde_json::from_value(serde_json::json!({
            "event": "room:started", "epoch": epoch, "seq": seq, "except": except, "data": {},
        }))
        .unwrap()
    }

    fn filter() -> Filter {
        Filter::new("mine".parse().unwrap(), (2, 5))
    }

    #[test]
    fn only_what_the_ack_did_not_include_is_let_through() {
        let mut filter = filter();
        assert!(!filter.admits(&envelope(2, 4, None)));
        assert!(!filter.admits(&envelope(2, 5, None)));
        assert!(filter.admits(&envelope(2, 6, None)));
        assert!(!filter.admits(&envelope(2, 6, None)), "and once");
        assert!(!filter.has_gap());
    }

    #[test]
    fn an_older_session_of_the_room_is_over_and_a_newer_one_begins_at_one() {
        let mut filter = filter();
        assert!(!filter.admits(&envelope(1, 9, None)));
        assert!(filter.admits(&envelope(3, 1, None)));
        assert!(!filter.has_gap());
    }

    #[test]
    fn nobody_hears_of_their_own_entry() {
        let mut filter = filter();
        assert!(!filter.admits(&envelope(2, 6, Some("mine"))));
        assert!(filter.admits(&envelope(2, 7, Some("theirs"))));
        assert!(!filter.has_gap(), "what is kept from the client counts all the same");
    }

    #[test]
    fn changes_come_together_to_who_has_all_before_them_and_to_nobody_else() {
        let changes: Vec<_> = (6..9).map(|seq| envelope(2, seq, Some("theirs"))).collect();
        let mut filter = filter();
        assert!(filter.admits_together(changes.iter()));
        assert!(!filter.admits(&changes[2]), "and once");
        assert!(!filter.admits_together(changes.iter()));
        let mut in_their_middle = Filter::new("mine".parse().unwrap(), (2, 6));
        assert!(!in_their_middle.admits_together(changes.iter()));
        assert!(!in_their_middle.admits(&changes[0]) && in_their_middle.admits(&changes[1]));
        let mut behind = Filter::new("mine".parse().unwrap(), (2, 4));
        assert!(!behind.admits_together(changes.iter()));
        let mut one_of_them = Filter::new("theirs".parse().unwrap(), (2, 5));
        assert!(!one_of_them.admits_together(changes.iter()));
        assert!(!one_of_them.has_gap());
    }

    #[test]
    fn a_gap_is_noticed_and_mended_by_a_state_that_is_not_older() {
        let mut filter = filter();
        assert!(filter.admits(&envelope(2, 8, None)));
        assert!(filter.has_gap());
        assert!(!filter.admits_state(&envelope(2, 7, None)));
        assert!(filter.has_gap());
        assert!(filter.admits_state(&envelope(2, 8, None)));
        assert!(!filter.has_gap());
    }

    #[test]
    fn a_state_that_says_nothing_new_is_left_out() {
        let mut filter = filter();
        assert!(!filter.admits_state(&envelope(2, 5, None)));
        assert!(filter.admits_state(&envelope(2, 9, None)));
        assert!(filter.admits(&envelope(2, 10, None)));
        assert!(!filter.has_gap());
    }
}

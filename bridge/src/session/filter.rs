//! Decides which events of a room a client still needs.

use rollcall_protocol::{EntryId, fanout::Envelope};

/// Admits events that the ack of `room:join` did not include, and detects gaps.
pub(super) struct Filter {
    /// The entry whose ack the client has. The client gets no event about this entry.
    acked: EntryId,
    epoch: u64,
    seq: u64,
    /// The generation of the room's subscription when the client reached this position.
    generation: u64,
    has_gap: bool,
}

/// How a snapshot of the room relates to what the client has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SnapshotAge {
    /// The snapshot holds nothing new.
    Known,
    /// The snapshot is newer.
    Newer,
    /// The snapshot is older and yet it counts: Redis has lost its last writes.
    Rewound,
}

impl Filter {
    /// For an entry whose ack included all events up to a position (epoch, seq).
    pub(super) fn new(acked: EntryId, (epoch, seq): (u64, u64), generation: u64) -> Self {
        Self { acked, epoch, seq, generation, has_gap: false }
    }

    /// Whether the client gets an event that goes to the whole room. `generation` is that of the room's current
    /// subscription.
    pub(super) fn admits(&mut self, envelope: &Envelope, generation: u64) -> bool {
        let Envelope { epoch, seq, .. } = *envelope;
        if (epoch, seq) <= (self.epoch, self.seq) {
            return false;
        }
        let expected = if epoch == self.epoch { self.seq + 1 } else { 1 };
        // The next number is no proof after a new subscription: Redis may have lost events and used their numbers again.
        self.has_gap |= seq != expected || generation != self.generation;
        (self.epoch, self.seq, self.generation) = (epoch, seq, generation);
        envelope.except.as_ref() != Some(&self.acked)
    }

    /// Whether the client gets coalesced changes together instead of one by one: they follow what the client has, and
    /// none of them is about its own entry.
    pub(super) fn admits_together<'a>(
        &mut self,
        mut events: impl Iterator<Item = &'a Envelope> + Clone,
        generation: u64,
    ) -> bool {
        let follows =
            events.clone().next().is_some_and(|first| (first.epoch, first.seq) == (self.epoch, self.seq + 1));
        let is_for_all = events.clone().all(|event| event.except.as_ref() != Some(&self.acked));
        follows && is_for_all && events.all(|event| self.admits(event, generation))
    }

    /// The position (epoch, seq) that the client has reached.
    pub(super) fn position(&self) -> (u64, u64) {
        (self.epoch, self.seq)
    }

    /// Moves the client to the position of an ack that includes all events up to there.
    pub(super) fn skip_to(&mut self, (epoch, seq): (u64, u64)) {
        (self.epoch, self.seq) = (epoch, seq);
    }

    /// Moves the client to the position of an ack although the events up to there have not come. What is in no ack, such as a
    /// notice, may be missing.
    pub(super) fn skip_unseen(&mut self, position: (u64, u64)) {
        if position > self.position() {
            self.skip_to(position);
            self.has_gap = true;
        }
    }

    /// Whether events have been missed since the last snapshot.
    pub(super) fn has_gap(&self) -> bool {
        self.has_gap
    }

    /// Moves the client to the position of a snapshot, if the snapshot counts.
    ///
    /// A snapshot can be older than what the client has because events arrived while it was read. But events of earlier
    /// generations were in Redis before it was read, unless Redis has lost them.
    pub(super) fn apply_snapshot(&mut self, state: &Envelope, generation: u64) -> SnapshotAge {
        let (position, known) = ((state.epoch, state.seq), (self.epoch, self.seq));
        let age = if position > known || (self.has_gap && position == known) {
            SnapshotAge::Newer
        } else if position < known && self.generation < generation {
            SnapshotAge::Rewound
        } else {
            if position == known {
                self.generation = self.generation.max(generation);
            }
            return SnapshotAge::Known;
        };
        (self.epoch, self.seq, self.generation) = (position.0, position.1, generation);
        self.has_gap = false;
        age
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENERATION: u64 = 1;

    fn envelope(epoch: u64, seq: u64, except: Option<&str>) -> Envelope {
        serde_json::from_value(serde_json::json!({
            "event": "room:started", "epoch": epoch, "seq": seq, "except": except, "data": {},
        }))
        .unwrap()
    }

    fn filter() -> Filter {
        Filter::new("mine".parse().unwrap(), (2, 5), GENERATION)
    }

    #[test]
    fn events_that_the_ack_included_are_not_admitted() {
        let mut filter = filter();
        assert!(!filter.admits(&envelope(2, 4, None), GENERATION));
        assert!(!filter.admits(&envelope(2, 5, None), GENERATION));
        assert!(filter.admits(&envelope(2, 6, None), GENERATION));
        assert!(!filter.admits(&envelope(2, 6, None), GENERATION), "only once");
        assert!(!filter.has_gap());
    }

    #[test]
    fn events_of_an_older_session_are_not_admitted_and_a_newer_one_begins_at_one() {
        let mut filter = filter();
        assert!(!filter.admits(&envelope(1, 9, None), GENERATION));
        assert!(filter.admits(&envelope(3, 1, None), GENERATION));
        assert!(!filter.has_gap());
    }

    #[test]
    fn a_client_gets_no_event_about_its_own_entry() {
        let mut filter = filter();
        assert!(!filter.admits(&envelope(2, 6, Some("mine")), GENERATION));
        assert!(filter.admits(&envelope(2, 7, Some("theirs")), GENERATION));
        assert!(!filter.has_gap(), "an event that the client does not get counts all the same");
    }

    #[test]
    fn only_a_client_that_has_all_earlier_events_gets_changes_together() {
        let changes: Vec<_> = (6..9).map(|seq| envelope(2, seq, Some("theirs"))).collect();
        let mut filter = filter();
        assert!(filter.admits_together(changes.iter(), GENERATION));
        assert!(!filter.admits(&changes[2], GENERATION), "only once");
        assert!(!filter.admits_together(changes.iter(), GENERATION));
        let mut in_their_middle = Filter::new("mine".parse().unwrap(), (2, 6), GENERATION);
        assert!(!in_their_middle.admits_together(changes.iter(), GENERATION));
        assert!(
            !in_their_middle.admits(&changes[0], GENERATION)
                && in_their_middle.admits(&changes[1], GENERATION)
        );
        let mut behind = Filter::new("mine".parse().unwrap(), (2, 4), GENERATION);
        assert!(!behind.admits_together(changes.iter(), GENERATION));
        let mut one_of_them = Filter::new("theirs".parse().unwrap(), (2, 5), GENERATION);
        assert!(!one_of_them.admits_together(changes.iter(), GENERATION));
        assert!(!one_of_them.has_gap());
    }

    #[test]
    fn a_gap_is_closed_by_a_snapshot_that_is_not_older() {
        let mut filter = filter();
        assert!(filter.admits(&envelope(2, 8, None), GENERATION));
        assert!(filter.has_gap());
        assert_eq!(filter.apply_snapshot(&envelope(2, 7, None), GENERATION), SnapshotAge::Known);
        assert!(filter.has_gap());
        assert_eq!(filter.apply_snapshot(&envelope(2, 8, None), GENERATION), SnapshotAge::Newer);
        assert!(!filter.has_gap());
    }

    #[test]
    fn events_that_an_ack_includes_are_not_admitted_even_if_they_come_later() {
        let mut filter = filter();
        filter.skip_unseen((2, 7));
        assert!(filter.has_gap());
        assert!(
            !filter.admits(&envelope(2, 6, None), GENERATION)
                && !filter.admits(&envelope(2, 7, None), GENERATION)
        );
        assert_eq!(filter.apply_snapshot(&envelope(2, 7, None), GENERATION), SnapshotAge::Newer);
        assert!(filter.admits(&envelope(2, 8, None), GENERATION) && !filter.has_gap());
        filter.skip_unseen((2, 7));
        assert_eq!((filter.position(), filter.has_gap()), ((2, 8), false), "an older ack moves nothing");
    }

    #[test]
    fn a_snapshot_without_news_is_left_out() {
        let mut filter = filter();
        assert_eq!(filter.apply_snapshot(&envelope(2, 5, None), GENERATION + 1), SnapshotAge::Known);
        assert_eq!(filter.apply_snapshot(&envelope(2, 9, None), GENERATION), SnapshotAge::Newer);
        assert!(filter.admits(&envelope(2, 10, None), GENERATION));
        assert!(!filter.has_gap());
    }

    #[test]
    fn a_redis_that_has_lost_its_last_writes_rewinds_the_client() {
        let mut filter = filter();
        assert_eq!(filter.apply_snapshot(&envelope(2, 4, None), GENERATION + 1), SnapshotAge::Rewound);
        assert!(filter.admits(&envelope(2, 5, None), GENERATION + 1), "events continue from there");
        assert_eq!(
            filter.apply_snapshot(&envelope(2, 4, None), GENERATION + 1),
            SnapshotAge::Known,
            "a late snapshot does not rewind"
        );
    }

    #[test]
    fn the_first_event_of_a_new_generation_counts_as_a_gap_until_a_snapshot() {
        let mut filter = filter();
        assert!(
            !filter.admits(&envelope(2, 5, Some("theirs")), GENERATION + 1),
            "its number is already known"
        );
        assert!(filter.admits(&envelope(2, 6, None), GENERATION + 1));
        assert!(filter.has_gap());
        assert_eq!(filter.apply_snapshot(&envelope(2, 6, None), GENERATION + 1), SnapshotAge::Newer);
        assert!(!filter.has_gap());

        let mut quiet = self::filter();
        assert_eq!(quiet.apply_snapshot(&envelope(2, 5, None), GENERATION + 1), SnapshotAge::Known);
        assert!(quiet.admits(&envelope(2, 6, None), GENERATION + 1));
        assert!(!quiet.has_gap());
    }
}

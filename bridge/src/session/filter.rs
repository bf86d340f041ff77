//! Which events of a room a session has not had yet.

use rollcall_protocol::{EntryId, fanout::Envelope};

/// Lets through what the ack of `room:join` did not include, and notices what is missing.
pub(super) struct Filter {
    /// The entry whose ack the client has: it does not hear of it again.
    acked: EntryId,
    epoch: u64,
    seq: u64,
    /// The connection to Redis while which the client got there.
    connection: u64,
    has_gap: bool,
}

/// What the client is to do with the room's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It says nothing new.
    Known,
    /// It is news.
    News,
    /// It is behind what the client has, and yet it holds: Redis has lost its last writes.
    Rewound,
}

impl Filter {
    /// For an entry whose ack included everything up to a position, epoch and seq.
    pub(super) fn new(acked: EntryId, (epoch, seq): (u64, u64), connection: u64) -> Self {
        Self { acked, epoch, seq, connection, has_gap: false }
    }

    /// Whether the client is to get an event that the whole room gets.
    ///
    /// `connection`: the connection to Redis just now.
    pub(super) fn admits(&mut self, envelope: &Envelope, connection: u64) -> bool {
        let Envelope { epoch, seq, .. } = *envelope;
        if (epoch, seq) <= (self.epoch, self.seq) {
            return false;
        }
        let expected = if epoch == self.epoch { self.seq + 1 } else { 1 };
        // What follows by its number need not, if Redis has lost something and counted the same numbers again.
        self.has_gap |= seq != expected || connection != self.connection;
        (self.epoch, self.seq, self.connection) = (epoch, seq, connection);
        envelope.except.as_ref() != Some(&self.acked)
    }

    /// Whether the client can get changes together instead of each by itself: they follow what it has, and none of
    /// them is one that it does not hear of.
    pub(super) fn admits_together<'a>(
        &mut self,
        mut events: impl Iterator<Item = &'a Envelope> + Clone,
        connection: u64,
    ) -> bool {
        let follows =
            events.clone().next().is_some_and(|first| (first.epoch, first.seq) == (self.epoch, self.seq + 1));
        let is_for_all = events.clone().all(|event| event.except.as_ref() != Some(&self.acked));
        follows && is_for_all && events.all(|event| self.admits(event, connection))
    }

    /// Whether events have been missed since the last state.
    pub(super) fn has_gap(&self) -> bool {
        self.has_gap
    }

    /// What the room's state, read over a connection to Redis, is to the client.
    ///
    /// A state can be behind what the client has because events came while it was read. But what came before the
    /// connection was made was there when it was read, unless Redis has lost it.
    pub(super) fn stand(&mut self, state: &Envelope, connection: u64) -> Standing {
        let (position, known) = ((state.epoch, state.seq), (self.epoch, self.seq));
        let standing = if position > known || (self.has_gap && position == known) {
            Standing::News
        } else if position < known && self.connection < connection {
            Standing::Rewound
        } else {
            if position == known {
                self.connection = self.connection.max(connection);
            }
            return Standing::Known;
        };
        (self.epoch, self.seq, self.connection) = (position.0, position.1, connection);
        self.has_gap = false;
        standing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: u64 = 1;

    fn envelope(epoch: u64, seq: u64, except: Option<&str>) -> Envelope {
        serde_json::from_value(serde_json::json!({
            "event": "room:started", "epoch": epoch, "seq": seq, "except": except, "data": {},
        }))
        .unwrap()
    }

    fn filter() -> Filter {
        Filter::new("mine".parse().unwrap(), (2, 5), HERE)
    }

    #[test]
    fn only_what_the_ack_did_not_include_is_let_through() {
        let mut filter = filter();
        assert!(!filter.admits(&envelope(2, 4, None), HERE));
        assert!(!filter.admits(&envelope(2, 5, None), HERE));
        assert!(filter.admits(&envelope(2, 6, None), HERE));
        assert!(!filter.admits(&envelope(2, 6, None), HERE), "and once");
        assert!(!filter.has_gap());
    }

    #[test]
    fn an_older_session_of_the_room_is_over_and_a_newer_one_begins_at_one() {
        let mut filter = filter();
        assert!(!filter.admits(&envelope(1, 9, None), HERE));
        assert!(filter.admits(&envelope(3, 1, None), HERE));
        assert!(!filter.has_gap());
    }

    #[test]
    fn nobody_hears_of_their_own_entry() {
        let mut filter = filter();
        assert!(!filter.admits(&envelope(2, 6, Some("mine")), HERE));
        assert!(filter.admits(&envelope(2, 7, Some("theirs")), HERE));
        assert!(!filter.has_gap(), "what is kept from the client counts all the same");
    }

    #[test]
    fn changes_come_together_to_who_has_all_before_them_and_to_nobody_else() {
        let changes: Vec<_> = (6..9).map(|seq| envelope(2, seq, Some("theirs"))).collect();
        let mut filter = filter();
        assert!(filter.admits_together(changes.iter(), HERE));
        assert!(!filter.admits(&changes[2], HERE), "and once");
        assert!(!filter.admits_together(changes.iter(), HERE));
        let mut in_their_middle = Filter::new("mine".parse().unwrap(), (2, 6), HERE);
        assert!(!in_their_middle.admits_together(changes.iter(), HERE));
        assert!(!in_their_middle.admits(&changes[0], HERE) && in_their_middle.admits(&changes[1], HERE));
        let mut behind = Filter::new("mine".parse().unwrap(), (2, 4), HERE);
        assert!(!behind.admits_together(changes.iter(), HERE));
        let mut one_of_them = Filter::new("theirs".parse().unwrap(), (2, 5), HERE);
        assert!(!one_of_them.admits_together(changes.iter(), HERE));
        assert!(!one_of_them.has_gap());
    }

    #[test]
    fn a_gap_is_noticed_and_mended_by_a_state_that_is_not_older() {
        let mut filter = filter();
        assert!(filter.admits(&envelope(2, 8, None), HERE));
        assert!(filter.has_gap());
        assert_eq!(filter.stand(&envelope(2, 7, None), HERE), Standing::Known);
        assert!(filter.has_gap());
        assert_eq!(filter.stand(&envelope(2, 8, None), HERE), Standing::News);
        assert!(!filter.has_gap());
    }

    #[test]
    fn a_state_that_says_nothing_new_is_left_out() {
        let mut filter = filter();
        assert_eq!(filter.stand(&envelope(2, 5, None), HERE + 1), Standing::Known);
        assert_eq!(filter.stand(&envelope(2, 9, None), HERE), Standing::News);
        assert!(filter.admits(&envelope(2, 10, None), HERE));
        assert!(!filter.has_gap());
    }

    #[test]
    fn a_redis_that_has_lost_its_last_writes_takes_the_client_back_with_it() {
        let mut filter = filter();
        assert_eq!(filter.stand(&envelope(2, 4, None), HERE + 1), Standing::Rewound);
        assert!(filter.admits(&envelope(2, 5, None), HERE + 1), "from there it goes on");
        assert_eq!(
            filter.stand(&envelope(2, 4, None), HERE + 1),
            Standing::Known,
            "this time it is only late"
        );
    }

    #[test]
    fn what_follows_over_a_new_connection_counts_as_a_gap_until_the_room_has_been_read() {
        let mut filter = filter();
        assert!(!filter.admits(&envelope(2, 5, Some("theirs")), HERE + 1), "as if it were known");
        assert!(filter.admits(&envelope(2, 6, None), HERE + 1));
        assert!(filter.has_gap());
        assert_eq!(filter.stand(&envelope(2, 6, None), HERE + 1), Standing::News);
        assert!(!filter.has_gap());

        let mut quiet = self::filter();
        assert_eq!(quiet.stand(&envelope(2, 5, None), HERE + 1), Standing::Known);
        assert!(quiet.admits(&envelope(2, 6, None), HERE + 1));
        assert!(!quiet.has_gap());
    }
}

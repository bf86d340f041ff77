//! Which events of a room a session has not had yet.

use rollcall_protocol::{EntryId, fanout::Envelope};

/// Lets through what the ack of `room:join` did not include.
pub(super) struct Filter {
    entry: EntryId,
    epoch: u64,
    seq: u64,
}

impl Filter {
    /// For an entry whose ack included everything up to a position, epoch and seq.
    pub(super) fn new(entry: EntryId, (epoch, seq): (u64, u64)) -> Self {
        Self { entry, epoch, seq }
    }

    /// Whether the client is to get the event.
    pub(super) fn admits(&self, envelope: &Envelope) -> bool {
        let is_newer = (envelope.epoch, envelope.seq) > (self.epoch, self.seq);
        is_newer && envelope.except.as_ref() != Some(&self.entry)
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

    #[test]
    fn only_what_the_ack_did_not_include_is_let_through() {
        let filter = Filter::new("mine".parse().unwrap(), (2, 5));
        assert!(!filter.admits(&envelope(2, 4, None)));
        assert!(!filter.admits(&envelope(2, 5, None)));
        assert!(filter.admits(&envelope(2, 6, None)));
    }

    #[test]
    fn an_older_session_of_the_room_is_over_and_a_newer_one_begins_at_one() {
        let filter = Filter::new("mine".parse().unwrap(), (2, 5));
        assert!(!filter.admits(&envelope(1, 9, None)));
        assert!(filter.admits(&envelope(3, 1, None)));
    }

    #[test]
    fn nobody_hears_of_their_own_entry() {
        let filter = Filter::new("mine".parse().unwrap(), (2, 5));
        assert!(!filter.admits(&envelope(2, 6, Some("mine"))));
        assert!(filter.admits(&envelope(2, 6, Some("theirs"))));
    }
}

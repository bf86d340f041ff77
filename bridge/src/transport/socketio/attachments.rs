//! Binary messages that belong to an event. No event takes any, so they are only counted: the event is refused, and the
//! connection stays open.

use std::sync::{Mutex, PoisonError};

/// Most binary messages that may belong to an event.
const MAX_ATTACHMENTS: usize = 16;

/// The client violates the protocol.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unexpected;

/// The event whose binary messages have not all arrived.
#[derive(Default)]
pub(super) struct Attachments(Mutex<Option<Pending>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pending {
    missing: usize,
    /// `None` for an ack, which nobody has asked for.
    event: Option<AckId>,
}

/// The id that the ack of an event repeats, if the client wants one.
pub(super) type AckId = Option<u64>;

impl Attachments {
    /// Waits for the binary messages of an event, or of an ack where `event` is `None`.
    pub(super) fn expect(&self, count: usize, event: Option<AckId>) -> Result<(), Unexpected> {
        if count == 0 || count > MAX_ATTACHMENTS {
            return Err(Unexpected);
        }
        *self.pending() = Some(Pending { missing: count, event });
        Ok(())
    }

    /// Whether the next message has to be binary.
    pub(super) fn are_missing(&self) -> bool {
        self.pending().is_some()
    }

    /// Counts a binary message. Returns the event that is now complete, if there is one.
    pub(super) fn receive(&self) -> Result<Option<AckId>, Unexpected> {
        let mut pending = self.pending();
        let waiting = pending.as_mut().ok_or(Unexpected)?;
        waiting.missing -= 1;
        let is_complete = waiting.missing == 0;
        Ok(pending.take_if(|_| is_complete).and_then(|complete| complete.event))
    }

    fn pending(&self) -> std::sync::MutexGuard<'_, Option<Pending>> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_complete_with_its_last_attachment() {
        let attachments = Attachments::default();
        assert_eq!(attachments.receive(), Err(Unexpected));
        attachments.expect(2, Some(Some(7))).unwrap();
        assert!(attachments.are_missing());
        assert_eq!(attachments.receive(), Ok(None));
        assert_eq!(attachments.receive(), Ok(Some(Some(7))));
        assert!(!attachments.are_missing());
        attachments.expect(1, None).unwrap();
        assert_eq!(attachments.receive(), Ok(None), "an ack");
        assert_eq!(attachments.expect(MAX_ATTACHMENTS + 1, None), Err(Unexpected));
        assert_eq!(attachments.expect(0, None), Err(Unexpected));
    }
}

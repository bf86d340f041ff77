//! What a session receives from its room.

use std::{collections::HashSet, sync::Arc};

use rollcall_protocol::EntryId;

use super::{encoded::EncodedEvent, merge::merge};

/// What a session receives from its room.
#[derive(Clone)]
pub(crate) enum RoomUpdate {
    /// One event.
    Event(Arc<EncodedEvent>),
    /// Several changes of members within moments.
    Coalesced(Arc<Coalesced>),
    /// The room's state, because events may have been missed.
    Snapshot(Arc<RoomSnapshot>),
}

impl RoomUpdate {
    /// Bytes of the payloads that a client gets.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Event(event) => event.size(),
            Self::Coalesced(coalesced) => coalesced.merged.iter().map(|event| event.size()).sum(),
            Self::Snapshot(snapshot) => snapshot.state.as_ref().map_or(0, EncodedEvent::size),
        }
    }
}

/// Changes that go out together; their numbers follow each other without a gap.
pub(crate) struct Coalesced {
    /// Each change by itself. Only one of them has the list of members.
    pub(crate) events: Vec<Arc<EncodedEvent>>,
    /// All changes together.
    merged: Vec<Arc<EncodedEvent>>,
}

impl Coalesced {
    /// Merges changes.
    pub(super) fn new(events: Vec<Arc<EncodedEvent>>) -> serde_json::Result<Self> {
        let merged = merge(&events)?.into_iter().map(Arc::new).collect();
        Ok(Self { events, merged })
    }

    /// The number of events that the changes were merged into.
    pub(super) fn count_merged(&self) -> usize {
        self.merged.len()
    }

    /// The changes after a position (epoch, seq).
    pub(crate) fn after(&self, position: (u64, u64)) -> &[Arc<EncodedEvent>] {
        let known = self.events.partition_point(|event| {
            let envelope = &event.envelope;
            (envelope.epoch, envelope.seq) <= position
        });
        &self.events[known..]
    }

    /// The last changes of these together, for a session that knows the others.
    pub(crate) fn merge_last(&self, count: usize) -> Vec<Arc<EncodedEvent>> {
        if count == self.events.len() {
            return self.merged.clone();
        }
        let events = &self.events[self.events.len() - count..];
        match merge(events) {
            Ok(merged) => merged.into_iter().map(Arc::new).collect(),
            Err(_) => events.to_vec(),
        }
    }
}

/// The state of a room.
pub(crate) struct RoomSnapshot {
    /// The event `room:state`, if the room's session is live.
    pub(crate) state: Option<EncodedEvent>,
    /// The entries of this bridge that are not current.
    pub(crate) gone: HashSet<EntryId>,
    /// The generation of the room's subscription when the snapshot was requested.
    pub(crate) generation: u64,
}

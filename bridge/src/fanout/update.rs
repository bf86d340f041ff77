//! What a session receives from its room.

use std::{collections::HashSet, sync::Arc};

use rollcall_protocol::EntryId;

use super::encoded::EncodedEvent;

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

/// Changes that go out together; their numbers follow each other without a gap.
pub(crate) struct Coalesced {
    /// Each change by itself, for sessions that know some of them already.
    pub(crate) events: Vec<Arc<EncodedEvent>>,
    /// All changes together.
    pub(crate) merged: Vec<Arc<EncodedEvent>>,
}

/// The state of a room.
pub(crate) struct RoomSnapshot {
    /// The event `room:state`, if the room's session is live.
    pub(crate) state: Option<EncodedEvent>,
    /// The entries of this bridge that are not current.
    pub(crate) gone: HashSet<EntryId>,
    /// The generation of the connection to Redis when the snapshot was requested.
    pub(crate) generation: u64,
}

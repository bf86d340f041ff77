//! What all clients of a run share.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{counters::Counters, open_rooms::OpenRooms, tokens::Secrets};

/// How many clients may be connecting or entering a room at once, so that a run begins with a queue and not with a
/// storm.
const DOORS: usize = 64;

/// What all clients of a run share.
pub struct World {
    /// The bridges.
    pub bridges: Vec<SocketAddr>,
    /// The rooms that are open.
    pub rooms: OpenRooms,
    /// Counts what happened so far.
    pub counters: Counters,
    /// Who signs tokens.
    pub secrets: Arc<Secrets>,
    /// How long a client stays as it is, on average.
    pub dwell: Duration,
    /// How long a silent socket is kept: until the bridge must have noticed.
    pub silence: Duration,
    /// Lets clients in.
    pub doors: Semaphore,
    /// Set when everybody has to go.
    pub over: CancellationToken,
}

impl World {
    /// A world in which nothing has happened.
    pub fn new(
        bridges: Vec<SocketAddr>,
        rooms: OpenRooms,
        counters: Counters,
        secrets: Arc<Secrets>,
        [dwell, silence]: [Duration; 2],
    ) -> Self {
        let (doors, over) = (Semaphore::new(DOORS), CancellationToken::new());
        Self { bridges, rooms, counters, secrets, dwell, silence, doors, over }
    }
}

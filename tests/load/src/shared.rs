//! The state that all virtual users of a run share.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{metrics::Metrics, open_rooms::OpenRooms, tokens::Secrets};

/// How many clients may connect or join at once. Without this limit, a run would begin with all connections at once.
const MAX_CONCURRENT_ENTRIES: usize = 64;

/// The state that all virtual users of a run share.
pub struct Shared {
    /// The addresses of the bridges.
    pub bridges: Vec<SocketAddr>,
    /// The rooms to join.
    pub rooms: OpenRooms,
    /// What the clients measured.
    pub metrics: Metrics,
    /// Signs tokens.
    pub secrets: Arc<Secrets>,
    /// The mean time that a client stays in a room.
    pub mean_stay: Duration,
    /// How long a silent client keeps its socket: long enough for the bridge to detect it.
    pub silence: Duration,
    /// Limits how many clients connect or join at once.
    pub entry_permits: Semaphore,
    /// Cancelled when the run ends.
    pub stop: CancellationToken,
    /// Ends the work of operators, who stop before the clients: thousands that leave at once keep the app busy for longer
    /// than an operator waits.
    pub stop_operators: CancellationToken,
}

impl Shared {
    /// Creates the state of a new run.
    pub fn new(
        bridges: Vec<SocketAddr>,
        rooms: OpenRooms,
        metrics: Metrics,
        secrets: Arc<Secrets>,
        [mean_stay, silence]: [Duration; 2],
    ) -> Self {
        let entry_permits = Semaphore::new(MAX_CONCURRENT_ENTRIES);
        let (stop, stop_operators) = (CancellationToken::new(), CancellationToken::new());
        Self { bridges, rooms, metrics, secrets, mean_stay, silence, entry_permits, stop, stop_operators }
    }
}

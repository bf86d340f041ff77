//! The way from a session to its client.

use rollcall_protocol::close::CloseReason;
use serde::Serialize;

use crate::{fanout::EncodedEvent, telemetry::metrics::Transport};

/// Most messages that may wait for one client. All clients share the encoded form of a room's event, so a waiting
/// message costs little more than its place in the queue.
pub(crate) const SOCKET_QUEUE: usize = 256;

/// The client's queue is full, because the client does not read fast enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Overflow;

/// The way from a session to its client.
pub(crate) trait Outbound: Send + Sync + 'static {
    /// The transport's label in metrics.
    const TRANSPORT: Transport;

    /// Queues a room event, in order with everything else for this client. Never waits.
    fn broadcast(&self, event: &EncodedEvent) -> Result<(), Overflow>;

    /// Queues an event for this client alone.
    fn emit(&self, event: &str, data: &impl Serialize) -> Result<(), Overflow>;

    /// Closes the socket after everything that is queued.
    fn close(self, reason: CloseReason) -> impl Future<Output = ()> + Send;
}

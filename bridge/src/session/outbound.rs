//! The way from a session to its client.

use rollcall_protocol::{close::CloseReason, server::ServerEvent};
use rollcall_sockets::queue::TooSlow;
use serde::Serialize;

use crate::{fanout::EncodedEvent, telemetry::metrics::Transport};

/// The way from a session to its client. Whatever is sent waits in the client's queue, in order; sending never waits.
pub(crate) trait Outbound: Send + Sync + 'static {
    /// The transport's label in metrics.
    const TRANSPORT: Transport;

    /// Sends a room event.
    fn broadcast(&self, event: &EncodedEvent);

    /// Sends an event for this client alone.
    fn emit(&self, event: ServerEvent, data: &impl Serialize);

    /// Whether so much waits for the client that the session should send nothing more.
    fn is_full(&self) -> bool;

    /// Waits until the client's queue is not full.
    fn wait_for_capacity(&self) -> impl Future<Output = Result<(), TooSlow>> + Send;

    /// Closes the socket after everything that was sent.
    fn close(self, reason: CloseReason) -> impl Future<Output = ()> + Send;
}

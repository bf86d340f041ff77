//! One event, encoded once for all clients that get it. The only type of the fan-out that knows how transports encode
//! events.

use std::{sync::OnceLock, time::Instant};

use rollcall_protocol::fanout::Envelope;
use rollcall_sockets::{Utf8Bytes, engineio::EncodedText};

/// One event, shared by all sessions that get it.
pub(crate) struct EncodedEvent {
    pub(crate) envelope: Envelope,
    /// When the event arrived from Redis, by the clock of this bridge, which may differ from Redis's clock.
    pub(crate) received_at: Instant,
    websocket_frame: OnceLock<Utf8Bytes>,
    socketio_packet: OnceLock<EncodedText>,
}

impl EncodedEvent {
    /// Wraps an event that arrived just now.
    pub(crate) fn new(envelope: Envelope) -> Self {
        Self::received_at(envelope, Instant::now())
    }

    /// Wraps an event that arrived at a given time.
    pub(crate) fn received_at(envelope: Envelope, received_at: Instant) -> Self {
        let (websocket_frame, socketio_packet) = (OnceLock::new(), OnceLock::new());
        Self { envelope, received_at, websocket_frame, socketio_packet }
    }

    /// Bytes of the payload.
    pub(super) fn size(&self) -> usize {
        self.envelope.data.get().len()
    }

    /// The event as a WebSocket frame; `encode` runs for the first client only.
    pub(crate) fn websocket_frame(&self, encode: impl FnOnce(&Envelope) -> Utf8Bytes) -> Utf8Bytes {
        self.websocket_frame.get_or_init(|| encode(&self.envelope)).clone()
    }

    /// The event as a Socket.IO packet; `encode` runs for the first client only.
    pub(crate) fn socketio_packet(&self, encode: impl FnOnce(&Envelope) -> EncodedText) -> EncodedText {
        self.socketio_packet.get_or_init(|| encode(&self.envelope)).clone()
    }
}

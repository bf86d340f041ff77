//! The way from a session to its Socket.IO client.

use std::{sync::Arc, time::Duration};

use engineioxide::{DisconnectReason, Str};
use rollcall_protocol::close::CloseReason;
use serde::Serialize;
use serde_json::value::RawValue;
use socketioxide_core::Sid;
use tokio::sync::mpsc::error::TrySendError;

use super::{Socket, connection, packet::Namespace};
use crate::{
    fanout::EncodedEvent,
    session::{Outbound, Overflow},
    telemetry::metrics::{self, Transport},
};

/// Sends to one client, as long as the client has the session.
#[derive(Clone)]
pub(super) struct Emitter {
    pub(super) socket: Arc<Socket>,
    pub(super) session: Sid,
    pub(super) namespace: Namespace,
    /// How long the client may take to connect again after its session has ended.
    pub(super) handshake_timeout: Duration,
}

impl Emitter {
    /// Sends the ack of an event.
    pub(super) fn ack(&self, id: i64, ack: &RawValue) -> Result<(), Overflow> {
        self.send(self.namespace.ack(id, ack))
    }

    fn send(&self, packet: Str) -> Result<(), Overflow> {
        self.socket.data.in_session(self.session, || self.queue(packet)).unwrap_or(Ok(()))
    }

    fn queue(&self, packet: Str) -> Result<(), Overflow> {
        match self.socket.emit(packet) {
            Err(TrySendError::Full(_)) => Err(Overflow),
            // A closed queue means that the socket is gone; the session learns of it by itself.
            Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
        }
    }
}

impl Outbound for Emitter {
    const TRANSPORT: Transport = Transport::SocketIo;

    fn broadcast(&self, event: &EncodedEvent) -> Result<(), Overflow> {
        self.send(event.socketio_packet(|envelope| self.namespace.event(&envelope.event, &envelope.data)))?;
        metrics::record_fan_out(Transport::SocketIo, event.received_at);
        Ok(())
    }

    fn emit(&self, event: &str, data: &impl Serialize) -> Result<(), Overflow> {
        self.send(self.namespace.event(event, data))
    }

    async fn close(self, reason: CloseReason) {
        // A client reconnects after its connection ends, but not after a DISCONNECT packet.
        let stays_open = self.socket.data.end_session(self.session, || {
            if let Some(refusal) = reason.refusal() {
                let _ = self.queue(self.namespace.event("error", &refusal));
            }
            !reason.may_reconnect() && self.queue(self.namespace.disconnect()).is_ok()
        });
        match stays_open {
            Some(true) => connection::close_without_session(&self.socket, self.handshake_timeout),
            Some(false) => self.socket.close(DisconnectReason::ClosingServer),
            None => {}
        }
    }
}

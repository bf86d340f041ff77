//! The way from a session to its Socket.IO client.

use std::{sync::Arc, time::Duration};

use rollcall_protocol::{close::CloseReason, server::ServerEvent};
use rollcall_sockets::{engineio::EncodedText, queue::TooSlow};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Socket, connection, connection::SessionNumber, packet::Namespace};
use crate::{
    fanout::EncodedEvent,
    session::Outbound,
    telemetry::metrics::{self, Transport},
};

/// Sends to one client, as long as the client has the session.
#[derive(Clone)]
pub(super) struct Emitter {
    pub(super) socket: Arc<Socket>,
    pub(super) session: SessionNumber,
    pub(super) namespace: Namespace,
    /// How long the client may take to connect again after its session has ended.
    pub(super) handshake_timeout: Duration,
}

impl Emitter {
    /// Sends the ack of an event.
    pub(super) fn ack(&self, id: u64, ack: &RawValue) {
        self.send(&self.namespace.ack(id, ack));
    }

    fn send(&self, packet: &EncodedText) {
        self.socket.data().in_session(self.session, || send(&self.socket, packet));
    }
}

/// Queues a packet.
pub(super) fn send(socket: &Socket, packet: &EncodedText) {
    metrics::record_queue_depth(socket.send(packet, None));
}

impl Outbound for Emitter {
    const TRANSPORT: Transport = Transport::SocketIo;

    fn broadcast(&self, event: &EncodedEvent) {
        let packet = event.socketio_packet(|envelope| self.namespace.event(&envelope.event, &envelope.data));
        self.socket.data().in_session(self.session, || {
            metrics::record_queue_depth(self.socket.send(&packet, Some(event.received_at)));
        });
    }

    fn emit(&self, event: ServerEvent, data: &impl Serialize) {
        self.send(&self.namespace.event(event.as_str(), data));
    }

    fn is_full(&self) -> bool {
        self.socket.is_full()
    }

    async fn wait_for_capacity(&self) -> Result<(), TooSlow> {
        self.socket.wait_for_capacity().await
    }

    async fn close(self, reason: CloseReason) {
        // A client reconnects after its connection ends, but not after a DISCONNECT packet.
        let stays_open = self.socket.data().end_session(self.session, || {
            if reason == CloseReason::TooSlow {
                self.socket.clear();
            }
            if let Some(refusal) = reason.refusal() {
                send(&self.socket, &self.namespace.event(ServerEvent::Error.as_str(), &refusal));
            }
            if !reason.may_reconnect() {
                send(&self.socket, &self.namespace.disconnect());
            }
            !reason.may_reconnect() && reason != CloseReason::RateLimited
        });
        match stays_open {
            Some(true) => connection::close_without_session(&self.socket, self.handshake_timeout),
            Some(false) => self.socket.close(),
            None => {}
        }
    }
}

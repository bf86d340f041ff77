//! The way from a session to its Socket.IO client.

use std::{sync::Arc, time::Duration};

use engineioxide::{DisconnectReason, Str};
use serde::Serialize;
use serde_json::value::RawValue;
use socketioxide_core::Sid;
use tokio::sync::mpsc::error::TrySendError;

use super::{Socket, connection, packet::Namespace};
use crate::{
    hub::Delivery,
    session::{Closing, Outbound, Overflow},
    telemetry::metrics::{self, Transport},
};

/// Writes to one client, for as long as the client has the session.
#[derive(Clone)]
pub(super) struct Emitter {
    pub(super) socket: Arc<Socket>,
    pub(super) session: Sid,
    pub(super) namespace: Namespace,
    /// How long the client may take to connect again, when its session has ended.
    pub(super) connect_limit: Duration,
}

impl Emitter {
    /// Answers an event.
    pub(super) fn ack(&self, id: i64, answer: &RawValue) -> Result<(), Overflow> {
        self.emit(self.namespace.ack(id, answer))
    }

    fn emit(&self, packet: Str) -> Result<(), Overflow> {
        self.socket.data.say(self.session, || self.queue(packet)).unwrap_or(Ok(()))
    }

    fn queue(&self, packet: Str) -> Result<(), Overflow> {
        match self.socket.emit(packet) {
            Err(TrySendError::Full(_)) => Err(Overflow),
            // A closed queue means that the socket is gone, which the session learns of by itself.
            Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
        }
    }
}

impl Outbound for Emitter {
    const TRANSPORT: Transport = Transport::SocketIo;

    fn send(&self, delivery: &Delivery) -> Result<(), Overflow> {
        self.emit(delivery.packet(|envelope| self.namespace.event(&envelope.event, &envelope.data)))?;
        metrics::fanned_out(Transport::SocketIo, delivery.received_at);
        Ok(())
    }

    fn tell(&self, event: &str, data: &impl Serialize) -> Result<(), Overflow> {
        self.emit(self.namespace.event(event, data))
    }

    async fn close(self, closing: Closing) {
        // A client that is told to disconnect stays away; one whose connection ends comes back.
        let stays_open = self.socket.data.say_last(self.session, || {
            if let Some(refusal) = closing.refusal() {
                let _ = self.queue(self.namespace.event("error", &refusal));
            }
            !closing.may_come_back() && self.queue(self.namespace.disconnect()).is_ok()
        });
        match stays_open {
            Some(true) => connection::expect_connect(&self.socket, self.connect_limit),
            Some(false) => self.socket.close(DisconnectReason::ClosingServer),
            None => {}
        }
    }
}

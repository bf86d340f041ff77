//! The way from a session to the client of a plain WebSocket.

use std::sync::Arc;

use rollcall_protocol::{close::CloseReason, server::ServerEvent};
use rollcall_sockets::{
    queue::{Outgoing, Queue, TooSlow},
    websocket::Message,
};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{close, message};
use crate::{
    fanout::EncodedEvent,
    session::Outbound,
    telemetry::metrics::{self, Transport},
};

/// Sends to one client.
#[derive(Clone)]
pub(super) struct Emitter(pub(super) Arc<Queue>);

impl Emitter {
    /// Sends the ack of an event.
    pub(super) fn ack(&self, id: &RawValue, ack: &RawValue) {
        self.send(Message::Text(message::ack(id, ack)));
    }

    fn send(&self, frame: Message) {
        metrics::record_queue_depth(self.0.push(frame.into()));
    }
}

impl Outbound for Emitter {
    const TRANSPORT: Transport = Transport::WebSocket;

    fn broadcast(&self, event: &EncodedEvent) {
        let frame = Message::Text(event.websocket_frame(message::event));
        let outgoing = Outgoing { frame, received_at: Some(event.received_at) };
        metrics::record_queue_depth(self.0.push(outgoing));
    }

    fn emit(&self, event: ServerEvent, data: &impl Serialize) {
        self.send(Message::Text(message::emitted(event, data)));
    }

    fn is_full(&self) -> bool {
        self.0.is_full()
    }

    async fn wait_for_capacity(&self) -> Result<(), TooSlow> {
        self.0.wait_for_capacity().await
    }

    async fn close(self, reason: CloseReason) {
        if reason == CloseReason::TooSlow {
            self.0.clear();
        }
        self.send(close::frame(&reason));
        self.0.close();
    }
}

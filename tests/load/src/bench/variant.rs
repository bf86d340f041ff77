//! What is compared.

use super::metric::Metric;
use crate::harness::AppPlace;

/// A way to run a service for study rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// The service in `tests/bench/reference`. The others are compared with it.
    Reference,
    /// The service in `tests/bench/colyseus`.
    Colyseus,
    /// Rollcall.
    Rollcall(AppPlace),
}

impl Variant {
    /// The heading of its column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reference => "Socket.IO + BullMQ",
            Self::Colyseus => "Colyseus",
            Self::Rollcall(AppPlace::InBridge) => "Rollcall in process",
            Self::Rollcall(AppPlace::OwnProcess) => "Rollcall, app over HTTP",
            Self::Rollcall(AppPlace::Spin) => "Rollcall, app in Spin",
        }
    }

    /// The connections over which its events are measured.
    pub fn main_client(self) -> ClientKind {
        match self {
            Self::Reference | Self::Rollcall(_) => ClientKind::SocketIo,
            Self::Colyseus => ClientKind::Colyseus,
        }
    }

    /// The connections of which only the memory is measured.
    pub fn further_client(self) -> Option<ClientKind> {
        match self {
            Self::Reference | Self::Colyseus => None,
            Self::Rollcall(_) => Some(ClientKind::WebSocket),
        }
    }
}

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientKind {
    /// Socket.IO over a WebSocket.
    SocketIo,
    /// A plain WebSocket.
    WebSocket,
    /// The protocol of Colyseus over a WebSocket.
    Colyseus,
}

impl ClientKind {
    /// The figure for the memory of such a connection.
    pub fn memory_metric(self) -> Metric {
        match self {
            Self::SocketIo => Metric::SocketIoSocket,
            Self::WebSocket | Self::Colyseus => Metric::WebSocketSocket,
        }
    }
}

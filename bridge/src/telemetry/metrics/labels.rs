//! What counts are told apart by. Every label has few values, all known beforehand: whatever a client sends, it
//! cannot make a new one.

use prometheus_client::encoding::EncodeLabelSet;
use rollcall_protocol::ErrorCode;

/// How a client is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    SocketIo,
    WebSocket,
}

impl Transport {
    pub(super) const ALL: [Self; 2] = [Self::SocketIo, Self::WebSocket];

    pub(super) fn label(self) -> TransportLabel {
        let transport = match self {
            Self::SocketIo => "socketio",
            Self::WebSocket => "websocket",
        };
        TransportLabel { transport }
    }
}

/// Why a socket was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// By the client, or its connection was lost.
    Gone,
    /// The room is over, or the member was removed.
    RoomClosed,
    /// The token ran out.
    TokenExpired,
    /// The client did not read what it was sent.
    TooSlow,
    /// The client sent faster than it may.
    TooFast,
    /// The room did not let the member in again.
    NotLetIn,
    /// The bridge stops.
    ShuttingDown,
}

impl CloseReason {
    pub(super) const ALL: [Self; 7] = [
        Self::Gone,
        Self::RoomClosed,
        Self::TokenExpired,
        Self::TooSlow,
        Self::TooFast,
        Self::NotLetIn,
        Self::ShuttingDown,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::RoomClosed => "room_closed",
            Self::TokenExpired => "token_expired",
            Self::TooSlow => "too_slow",
            Self::TooFast => "too_fast",
            Self::NotLetIn => "not_let_in",
            Self::ShuttingDown => "shutting_down",
        }
    }
}

/// What became of a call to the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallOutcome {
    /// The app did what it was asked for.
    Ok,
    /// The app said why not.
    Refused(ErrorCode),
    /// No answer in time.
    Timeout,
    /// The app could not be reached, or the connection broke.
    Connection,
    /// An answer of a gateway or of a component that failed.
    Status,
    /// An answer that means that bridge and app do not fit: a signature that is not accepted, or no JSON.
    Misfit,
    /// Whoever waited for it stopped waiting.
    GivenUp,
}

impl CallOutcome {
    /// The label, for log lines as well.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused(code) => code.as_str(),
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::Status => "status",
            Self::Misfit => "misfit",
            Self::GivenUp => "given_up",
        }
    }
}

/// Whether calls to the app are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Circuit {
    /// All are.
    Closed,
    /// None is: the app has failed too often.
    Open,
    /// A few are, to see whether the app is back.
    HalfOpen,
}

impl Circuit {
    pub(super) const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    pub(super) fn label(self) -> StateLabel {
        let state = match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        };
        StateLabel { state }
    }
}

/// Which queue a message found full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queue {
    /// From a room to a session.
    Session,
    /// From a session to its socket.
    Socket,
}

impl Queue {
    pub(super) const ALL: [Self; 2] = [Self::Session, Self::Socket];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Socket => "socket",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct TransportLabel {
    pub(super) transport: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReasonLabel {
    pub(super) reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StateLabel {
    pub(super) state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct QueueLabel {
    pub(super) queue: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ClientEventLabels {
    pub(super) event: &'static str,
    pub(super) code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct AppCallLabels {
    pub(super) kind: &'static str,
    pub(super) outcome: &'static str,
}

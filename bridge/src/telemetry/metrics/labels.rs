//! Labels of metrics. Every label has few values, all known at compile time: no client can create a new value.

use prometheus_client::encoding::EncodeLabelSet;
use rollcall_protocol::ErrorCode;

/// Transport of a client's connection.
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

/// Outcome of a call to the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallOutcome {
    /// The app succeeded.
    Ok,
    /// The app refused, with this code.
    Refused(ErrorCode),
    /// The app did not respond in time.
    Timeout,
    /// The app could not be reached, or the connection broke.
    Connection,
    /// A gateway responded, or a component that failed.
    Status,
    /// The response shows that bridge and app do not fit together: the app rejects the signature, or the response is
    /// not JSON.
    Misfit,
    /// The caller stopped waiting.
    GivenUp,
}

impl CallOutcome {
    /// The label, which log lines use as well.
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

/// State of the circuit breaker for calls to the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CircuitState {
    /// All calls are made.
    Closed,
    /// No call is made, because the app has failed too often.
    Open,
    /// A few calls are made, to find out whether the app works again.
    HalfOpen,
}

impl CircuitState {
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

/// Queue from which a message was dropped because the queue was full.
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
pub(super) struct PartLabel {
    pub(super) part: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct EventLabel {
    pub(super) event: &'static str,
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

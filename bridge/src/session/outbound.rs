//! What a session sends to its client.

use rollcall_protocol::{ErrorCode, Refusal};
use serde::Serialize;

use crate::{
    hub::Delivery,
    telemetry::metrics::{CloseReason, Transport},
};

/// How many messages may wait for one client. What a room says is shared by all who wait for it, so that a message
/// that waits costs little more than its place.
pub(crate) const SOCKET_QUEUE: usize = 256;

/// The client does not read what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Overflow;

/// The way from a session to its client.
pub(crate) trait Outbound: Send + Sync + 'static {
    /// What it is counted as.
    const TRANSPORT: Transport;

    /// Queues a room event, in order with everything else that goes to this client. Never waits.
    fn send(&self, delivery: &Delivery) -> Result<(), Overflow>;

    /// Queues an event that is for this client alone.
    fn tell(&self, event: &str, data: &impl Serialize) -> Result<(), Overflow>;

    /// Closes the socket after what is queued.
    fn close(self, closing: Closing) -> impl Future<Output = ()> + Send;
}

/// Why the bridge closes a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Closing {
    /// An event that closes was delivered: the room is over, or the member was removed. Holds its name.
    RoomClosed(String),
    /// The token ran out.
    TokenExpired,
    /// The client does not read what it is sent.
    TooSlow,
    /// The client sends faster than it may, whatever it is told.
    TooFast,
    /// The app had taken the connection for lost, and does not let the member in again.
    NotLetIn(Refusal),
    /// The bridge stops.
    ShuttingDown,
}

impl Closing {
    /// The reason, for logs and close frames.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::RoomClosed(event) => event,
            Self::TokenExpired => ErrorCode::TokenExpired.as_str(),
            Self::TooSlow => "too slow",
            Self::TooFast => ErrorCode::RateLimited.as_str(),
            Self::NotLetIn(refusal) => refusal.code.as_str(),
            Self::ShuttingDown => "shutting down",
        }
    }

    /// Whether the client is to come back by itself.
    pub(crate) fn may_come_back(&self) -> bool {
        match self {
            Self::TooSlow | Self::ShuttingDown => true,
            Self::NotLetIn(refusal) => {
                matches!(refusal.code, ErrorCode::Unavailable | ErrorCode::Overloaded)
            }
            Self::RoomClosed(_) | Self::TokenExpired | Self::TooFast => false,
        }
    }

    /// What it is counted as.
    pub(super) fn counted(&self) -> CloseReason {
        match self {
            Self::RoomClosed(_) => CloseReason::RoomClosed,
            Self::TokenExpired => CloseReason::TokenExpired,
            Self::TooSlow => CloseReason::TooSlow,
            Self::TooFast => CloseReason::TooFast,
            Self::NotLetIn(_) => CloseReason::NotLetIn,
            Self::ShuttingDown => CloseReason::ShuttingDown,
        }
    }

    /// What the client is told before, where the close itself carries no reason.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::TokenExpired => Some(ErrorCode::TokenExpired.into()),
            Self::TooFast => Some(ErrorCode::RateLimited.into()),
            Self::NotLetIn(refusal) => Some(refusal.clone()),
            Self::RoomClosed(_) | Self::TooSlow | Self::ShuttingDown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_let_in_only_for_the_moment_may_come_back() {
        let not_let_in = |code: ErrorCode| Closing::NotLetIn(code.into()).may_come_back();
        assert!(not_let_in(ErrorCode::Unavailable) && not_let_in(ErrorCode::Overloaded));
        assert!(!not_let_in(ErrorCode::NotAMember) && !not_let_in(ErrorCode::RoomFull));
    }
}

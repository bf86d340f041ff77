//! The codes that connections are closed with.

use axum::extract::ws::{CloseFrame, Message};
use rollcall_protocol::{ErrorCode, Refusal};

use crate::session::Closing;

/// The codes that connections are closed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloseCode {
    /// The bridge stops; connect again.
    GoingAway = 1001,
    /// A frame was larger than allowed.
    TooBig = 1009,
    /// The token was refused or has expired; connect again with a new one. The reason is the error code.
    Unauthorized = 4401,
    /// The client did not answer a ping in time; connect again.
    PingTimeout = 4408,
    /// The room is over or the member was removed. The reason is the event that said so.
    RoomClosed = 4410,
    /// The connection had been taken for lost, and the room does not let the member in again. The reason is the
    /// error code.
    NotLetIn = 4409,
    /// The client did not read what it was sent; connect again.
    TooSlow = 4420,
    /// Too much at once: of events on this connection, or of connections. The reason is the error code.
    TooMuch = 4429,
    /// The token could not be checked, or the room could not be entered again, at the moment; connect again later. The
    /// reason is the error code.
    Unavailable = 4503,
}

impl CloseCode {
    /// The frame that closes a connection.
    pub(super) fn frame(self, reason: &str) -> Message {
        Message::Close(Some(CloseFrame { code: self as u16, reason: reason.into() }))
    }

    /// The frame for a client that is not let in.
    pub(super) fn refused(refusal: &Refusal) -> Message {
        let code = match refusal.code {
            ErrorCode::TooManySockets => Self::TooMuch,
            code if code.may_retry() => Self::Unavailable,
            _ => Self::Unauthorized,
        };
        code.frame(refusal.code.as_str())
    }

    /// The frame for a session that was ended here.
    pub(super) fn closing(closing: &Closing) -> Message {
        let code = match closing {
            Closing::RoomClosed(_) => Self::RoomClosed,
            Closing::TokenExpired => Self::Unauthorized,
            Closing::TooSlow => Self::TooSlow,
            Closing::TooFast => Self::TooMuch,
            Closing::NotLetIn(_) if closing.may_come_back() => Self::Unavailable,
            Closing::NotLetIn(_) => Self::NotLetIn,
            Closing::ShuttingDown => Self::GoingAway,
        };
        code.frame(closing.reason())
    }
}

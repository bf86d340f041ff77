//! The frame that closes a WebSocket.

use axum::extract::ws::{CloseFrame, Message};
use rollcall_protocol::close::CloseReason;

/// The close frame with the code and the reason that tell a client why.
pub(super) fn frame(reason: &CloseReason) -> Message {
    Message::Close(Some(CloseFrame { code: reason.code(), reason: reason.reason().into() }))
}

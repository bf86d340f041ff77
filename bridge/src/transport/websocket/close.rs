//! The frame that closes a WebSocket.

use rollcall_protocol::close::CloseReason;
use rollcall_sockets::websocket::{self, Message};

/// The close frame with the code and the reason that tell a client why.
pub(super) fn frame(reason: &CloseReason) -> Message {
    websocket::close_frame(reason.code(), reason.reason())
}

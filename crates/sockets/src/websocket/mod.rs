//! WebSockets on the server's side: the upgrade of a request, and reading and writing frames in one task.

mod connection;
mod stream;
mod upgrade;

pub use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

pub use self::{
    connection::{Known, MAX_STRANGER_BYTES},
    stream::{End, Frame, WebSocket},
    upgrade::{Refused, Upgrade, is_upgrade},
};

/// The code of a close frame after a violation of the protocol.
pub const PROTOCOL_ERROR: u16 = 1002;

/// The code of a close frame after a message that is too large.
pub const TOO_LARGE: u16 = 1009;

/// A frame that closes a WebSocket and tells the client why.
#[must_use]
pub fn close_frame(code: u16, reason: &str) -> Message {
    Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() }))
}

//! Clients' connections below the session: Engine.IO 4 over long-polling and WebSockets, and what a plain WebSocket
//! needs of the same parts.
//!
//! The crate moves text between a client and its user. It knows nothing of rooms, tokens or JSON in messages.
//!
//! | module | what it does |
//! |---|---|
//! | [`queue`] | the outgoing queue of one client |
//! | [`heartbeat`] | pings a client and notices when it does not answer |
//! | [`flood`] | limits what clients send without need |
//! | [`websocket`] | the upgrade of a request, and reading and writing frames in one task |
//! | [`engineio`] | the server of Engine.IO |

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod engineio;
pub mod flood;
pub mod heartbeat;
pub mod queue;
pub mod websocket;

pub use tokio_tungstenite::tungstenite::Utf8Bytes;

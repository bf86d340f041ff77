//! Every type that crosses a wire, once.
//!
//! | module | what it describes |
//! |---|---|
//! | [`id`] | ids of rooms, users, entries and bridge nodes |
//! | [`client`] | what clients send, and the acks they get |
//! | [`event`] | what a bridge tells the app |
//! | [`call`] | how such an event travels: a signed CloudEvent over HTTP |
//! | [`batch`] | how many events travel in one call |
//! | [`fanout`] | what a script publishes to a room |
//! | [`origin`] | whose pages may come |
//! | [`resume`] | tokens to come back with |
//! | [`session`] | the definition of a session |
//! | [`api`] | what the HTTP API takes and answers |
//! | [`error`] | why something was refused, with stable codes |

pub mod api;
pub mod batch;
pub mod call;
pub mod client;
pub mod error;
pub mod event;
pub mod fanout;
pub mod id;
pub mod origin;
pub mod resume;
pub mod session;

pub use error::{ErrorCode, Refusal};
pub use id::{EntryId, EventId, NodeId, ResumeHash, RoomId, UserId};

//! Every type that crosses a wire, once.
//!
//! | module | what it describes |
//! |---|---|
//! | [`id`] | ids of rooms, users, entries and bridge nodes |
//! | [`client`] | events that clients send, and their acks |
//! | [`server`] | events that clients get |
//! | [`version`] | the version of the protocol between clients and bridges |
//! | [`command`] | events of members that change something in their room |
//! | [`timer`] | the timer that the members of a room share |
//! | [`status`] | what members say about themselves |
//! | [`chat`] | the chat of a room |
//! | [`code`] | the code that the members of a room share |
//! | [`document`] | snippets that several members edit at the same time |
//! | [`hook`] | the call that asks the platform about a message |
//! | [`lobby`] | how many are in which room |
//! | [`close`] | why a bridge closes a socket |
//! | [`event`] | events that a bridge sends to the app |
//! | [`call`] | the call that delivers one event: a signed CloudEvent over HTTP |
//! | [`check`] | the call that asks whether a component could handle its events |
//! | [`batch`] | the call that delivers many events |
//! | [`fanout`] | events that a script publishes to a room |
//! | [`keyspace`] | the keys and channels of one deployment in a Redis |
//! | [`shard`] | the shard of a room |
//! | [`json`] | JSON objects from strangers |
//! | [`origin`] | web origins that may connect |
//! | [`resume`] | resume tokens |
//! | [`text`] | characters that people cannot see |
//! | [`definition`] | definitions of sessions |
//! | [`api`] | requests and responses of the HTTP API |
//! | [`attendance`] | the attendance of a room |
//! | [`error`] | refusals, with stable codes |

pub mod api;
pub mod attendance;
pub mod batch;
mod body;
pub mod call;
pub mod chat;
pub mod check;
pub mod client;
pub mod close;
pub mod code;
pub mod command;
pub mod definition;
pub mod document;
pub mod error;
pub mod event;
pub mod fanout;
pub mod hook;
pub mod id;
pub mod json;
pub mod keyspace;
pub mod lobby;
pub mod origin;
pub mod resume;
#[cfg(feature = "openapi")]
pub mod schema;
pub mod server;
pub mod shard;
pub mod status;
pub mod text;
pub mod timer;
pub mod version;

pub use body::EventJson;
pub use error::{ErrorCode, Refusal};
pub use id::{CommandId, EntryId, EventId, NodeId, ResumeHash, RoomId, UserId};
pub use keyspace::Keyspace;

//! The rules of a room and the use cases that apply the rules, free of I/O.
//!
//! | module | what it holds |
//! |---|---|
//! | [`redis`] | the port to Redis, and runs of scripts through it |
//! | [`definitions`] | definitions of sessions: their sources and stores, and changes |
//! | [`token`] | verification of clients' tokens |
//! | [`settings`] | durations and limits of a deployment |
//! | [`rooms`] | use cases: join, leave, disconnect, read, heartbeat, sweep, operators' calls |
//! | `document` | what Yjs makes of a document |
//! | [`attendance`] | sums of attendance |
//! | [`script`] | the Lua scripts, each of which changes a room in one atomic step |
//! | [`shard`] | the assignment of rooms to shards |
//! | [`error`] | errors of use cases |

pub mod attendance;
pub mod definitions;
mod document;
pub mod error;
pub mod redis;
pub mod rooms;
pub mod script;
pub mod settings;
pub mod shard;
pub mod token;

pub use error::Error;
pub use rooms::Rooms;
pub use settings::Settings;

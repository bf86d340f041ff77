//! The rules of a room, and the use cases that apply them: plain code without I/O of its own.
//!
//! | module | what it holds |
//! |---|---|
//! | [`redis`] | the port to Redis, and how a script is run through it |
//! | [`directory`] | the ports to session definitions |
//! | [`grant`] | session definitions from tokens |
//! | [`token`] | who a client's token speaks for |
//! | [`settings`] | durations and limits of a deployment |
//! | [`rooms`] | entering, leaving, losing a connection, reading, sweeping |
//! | [`sessions`] | changing what a session is |
//! | [`attendance`] | who was there, from when to when |
//! | [`script`] | the Lua scripts, which change a room in one atomic step each |
//! | [`shard`] | which keys belong together |
//! | [`failure`] | why a use case did not succeed |

pub mod attendance;
pub mod directory;
pub mod failure;
pub mod grant;
pub mod redis;
pub mod rooms;
pub mod script;
pub mod sessions;
pub mod settings;
pub mod shard;
pub mod token;

pub use failure::Failure;
pub use rooms::Rooms;
pub use settings::Settings;

//! What the components share at their edge to Spin: variables, Redis, the key-value store, HTTP.
//!
//! | module | what it adapts |
//! |---|---|
//! | [`variables`] | Spin's variables to settings, read once per instance |
//! | [`redis`] | Spin's Redis interface to the port of `rollcall-rooms` |
//! | [`definitions`] | where session definitions come from |
//! | [`events`] | an HTTP request to a bridge's event, and the answer back |
//! | [`bearer`] | callers that show a bearer token |
//! | [`identity`] | who a token speaks for |
//! | [`cors`] | which pages of other origins may read answers |
//! | [`sweep`] | sweeping all shards |
//! | [`instance`] | what an instance keeps between calls |
//! | [`http`] | bodies with a limit, answers in JSON |
//! | [`log`] | log lines that say which request they belong to |

#[cfg(feature = "http")]
pub mod bearer;
#[cfg(feature = "http")]
pub mod cors;
#[cfg(feature = "key-value")]
pub mod definitions;
#[cfg(feature = "http")]
pub mod events;
#[cfg(feature = "http")]
pub mod http;
pub mod identity;
pub mod instance;
pub mod log;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "redis")]
pub mod sweep;
pub mod variables;

//! Adapters between the components and Spin: variables, Redis, the key-value store, HTTP.
//!
//! | module | what it adapts |
//! |---|---|
//! | [`variables`] | Spin's variables to settings, read once per instance |
//! | [`redis`] | Spin's Redis interface to the port of `rollcall-rooms` |
//! | `reply` | the errors of that interface to those of the port |
//! | [`definitions`] | Spin's key-value store and PostgreSQL interface to sources of definitions |
//! | [`events`] | an HTTP request to an event of a bridge, and its result to the response |
//! | [`features`] | the variable `features` |
//! | [`lobby`] | counts of rooms to those that come in time |
//! | [`bearer`] | bearer tokens to permissions |
//! | [`identity`] | a client's token to its user |
//! | `jwks` | the address that publishes the keys of tokens |
//! | [`hook`] | the address that is asked about messages |
//! | `address` | addresses that components call over HTTP |
//! | [`cors`] | requests from pages of other origins |
//! | [`sweep`] | a sweep of the shards that are due |
//! | [`time_limit`] | a time limit for the sweep on a schedule |
//! | [`instance`] | values that an instance keeps between requests |
//! | [`http`] | bodies with a limit, responses in JSON |
//! | [`log`] | log lines that name their request |

#[cfg(feature = "http")]
mod address;
#[cfg(feature = "http")]
pub mod bearer;
#[cfg(feature = "http")]
pub mod cors;
#[cfg(feature = "key-value")]
pub mod definitions;
#[cfg(feature = "http")]
pub mod events;
#[cfg(all(feature = "http", feature = "redis"))]
pub mod features;
#[cfg(feature = "http")]
pub mod hook;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "http")]
pub mod identity;
pub mod instance;
#[cfg(feature = "http")]
mod jwks;
#[cfg(all(feature = "http", feature = "redis"))]
pub mod lobby;
pub mod log;
#[cfg(feature = "redis")]
pub mod redis;
// The features of components are off in tests.
#[cfg(any(feature = "redis", test))]
mod reply;
#[cfg(feature = "redis")]
pub mod sweep;
pub mod time_limit;
pub mod variables;

//! Starts servers such as Redis as child processes, for tests and for `cargo xtask up`.
//!
//! A port that was free a moment ago may belong to another process by now. A server therefore counts as started only
//! when its own output says so, and a server that finds its port taken is started again on another port.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod launch;
mod ports;
mod redis;

pub use launch::Launch;
pub use ports::candidate_ports;
pub use redis::{RedisServer, redis_server, start_redis};

//! What the suites share: a real Redis of their own.

pub mod cluster;
pub mod forwarder;
pub mod listener;
pub mod redis_server;
pub mod substitutes;

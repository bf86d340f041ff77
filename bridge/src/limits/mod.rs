//! Limits that are counted per key: how much each key holds, and how fast it may act.
//!
//! | module | what it does |
//! |---|---|
//! | [`permits`] | counts what each key holds, up to a limit |
//! | [`places`] | counts connections or sockets, and decides which ones give way to new ones |
//! | [`socket`] | the right to hold one socket, and the connections that belong to the socket |
//! | [`idle`] | evicts keys from rate limiters that have not been used for a while |

pub(crate) mod idle;
pub(crate) mod permits;
pub(crate) mod places;
mod socket;

use std::net::IpAddr;

pub(crate) use self::socket::{Carrier, Carry, SocketId, SocketPermit, SocketRef};

/// The network of the client that sends a request; an extension of the request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientNetwork(pub(crate) IpAddr);

//! Limits that are counted per key: how much each key holds, and how fast it may act.
//!
//! | module | what it does |
//! |---|---|
//! | [`permits`] | counts what each key holds, up to a limit |
//! | [`idle`] | evicts keys from rate limiters that have not been used for a while |

pub(crate) mod idle;
pub(crate) mod permits;

use std::{net::IpAddr, sync::Arc};

use self::permits::Permit;

/// The right to hold one socket. The permit travels with the request that opens the socket, and whoever serves the
/// socket keeps it until the socket is closed.
#[derive(Clone)]
pub(crate) struct SocketPermit {
    _permits: Arc<(Permit<()>, Permit<IpAddr>)>,
}

impl SocketPermit {
    /// Combines a permit of the whole bridge with one of the client's address.
    pub(crate) fn new(bridge: Permit<()>, address: Permit<IpAddr>) -> Self {
        Self { _permits: Arc::new((bridge, address)) }
    }
}

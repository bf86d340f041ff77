//! The right to hold one socket, and the connections that belong to the socket.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio_util::sync::CancellationToken;

use super::{
    permits::Permit,
    places::{Place, Waiting},
};

/// A polling client receives over one connection and sends over another. Both stay open for a while after the client
/// has upgraded to a WebSocket on a third connection.
const MAX_CONNECTIONS: usize = 4;

/// The connection that carries a request; an extension of the request. A connection belongs to at most one socket, and
/// the connections of sockets are counted apart from all others.
pub(crate) type Carrier = Arc<dyn Carry>;

/// What a socket tells its connections.
pub(crate) trait Carry: Send + Sync {
    /// The connection belongs to the socket from now on, and no longer to an earlier one.
    fn enter(self: Arc<Self>, socket: &SocketPermit);

    /// The socket is closed. The connection belongs to none.
    fn leave(&self);
}

/// The right to hold one socket. The permit travels with the request that opens the socket, and whoever serves the
/// socket keeps it until the socket is closed.
#[derive(Clone)]
pub(crate) struct SocketPermit(Arc<Socket>);

struct Socket {
    place: Arc<Place>,
    _of_address: Permit<IpAddr>,
    connections: Mutex<Vec<Weak<dyn Carry>>>,
}

/// A socket, as far as its connections know it.
pub(crate) struct SocketRef(Weak<Socket>);

impl SocketPermit {
    /// Combines a place in the bridge with a permit of the client's address.
    pub(crate) fn new(place: Arc<Place>, of_address: Permit<IpAddr>) -> Self {
        Self(Arc::new(Socket { place, _of_address: of_address, connections: Mutex::default() }))
    }

    /// The socket waits for a token. From now on, it gives way to new sockets: the returned token is then cancelled.
    pub(crate) fn wait_for_token(&self) -> CancellationToken {
        self.0.place.set_session(false);
        self.0.place.set_waiting(Waiting::Opening);
        self.0.place.eviction()
    }

    /// The app checks the client's token. Meanwhile the socket gives way to nobody.
    pub(crate) fn check_token(&self) {
        self.0.place.set_busy();
    }

    /// The client has a session.
    pub(crate) fn begin_session(&self) {
        self.0.place.set_session(true);
    }

    /// Makes a connection one of this socket. Returns whether it is: a socket has few connections.
    pub(crate) fn adopt(&self, connection: &Carrier) -> bool {
        let mut connections = self.0.connections();
        connections.retain(|known| known.strong_count() > 0);
        if !connections.iter().any(|known| is_same(known, connection)) {
            if connections.len() >= MAX_CONNECTIONS {
                return false;
            }
            connections.push(Arc::downgrade(connection));
        }
        // The connection may leave another socket, which locks its own list.
        drop(connections);
        Arc::clone(connection).enter(self);
        true
    }

    pub(crate) fn downgrade(&self) -> SocketRef {
        SocketRef(Arc::downgrade(&self.0))
    }
}

impl SocketRef {
    /// Whether this is the socket of a permit.
    pub(crate) fn is(&self, socket: &SocketPermit) -> bool {
        std::ptr::eq(self.0.as_ptr(), Arc::as_ptr(&socket.0))
    }

    /// Takes a connection from the socket, if the socket is still open.
    pub(crate) fn release(&self, connection: &Carrier) {
        if let Some(socket) = self.0.upgrade() {
            socket.connections().retain(|known| !is_same(known, connection));
        }
    }
}

impl Socket {
    fn connections(&self) -> MutexGuard<'_, Vec<Weak<dyn Carry>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let connections = std::mem::take(&mut *self.connections());
        connections.iter().filter_map(Weak::upgrade).for_each(|connection| connection.leave());
    }
}

fn is_same(known: &Weak<dyn Carry>, connection: &Carrier) -> bool {
    std::ptr::addr_eq(known.as_ptr(), Arc::as_ptr(connection))
}

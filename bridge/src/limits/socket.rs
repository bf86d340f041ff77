//! The right to hold one socket, and the connections that belong to the socket.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::time::Instant;
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

    /// The connection no longer belongs to this socket: the socket is closed, or other connections carry its requests.
    /// Changes nothing if the connection belongs to another socket meanwhile.
    fn leave(&self, socket: SocketId);

    /// Since when the connection has carried no request, if it carries none.
    fn idle_since(&self) -> Option<Instant>;

    /// The connection carries a request of a client that has not sent its token. The request gives way to new
    /// connections.
    fn wait_for_token(&self);

    /// The client's token is checked. Its requests give way to nobody.
    fn check_token(&self);

    /// The connection waits for a body whose sender is unknown. Until the body is complete, the connection gives way to
    /// new ones, and the request is then dropped.
    #[cfg_attr(
        not(feature = "in-process"),
        allow(dead_code, reason = "only an app in this process gets bodies")
    )]
    fn wait_for_body(&self);

    /// The body is complete. Until its response begins, the connection gives way to nobody.
    #[cfg_attr(
        not(feature = "in-process"),
        allow(dead_code, reason = "only an app in this process gets bodies")
    )]
    fn receive_body(&self);
}

/// Tells sockets apart for as long as a [`SocketRef`] of the socket exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SocketId(usize);

/// The right to hold one socket. The permit travels with the request that opens the socket, and whoever serves the
/// socket keeps it until the socket is closed.
#[derive(Clone)]
pub(crate) struct SocketPermit(Arc<Socket>);

struct Socket {
    place: Arc<Place>,
    _of_address: Permit<IpAddr>,
    connections: Mutex<Connections>,
}

struct Connections {
    list: Vec<Weak<dyn Carry>>,
    /// Whether the bridge waits for the client's token. Requests meanwhile give way to new connections.
    wait_for_token: bool,
}

/// A socket, as far as its connections know it.
pub(crate) struct SocketRef(Weak<Socket>);

impl SocketPermit {
    /// Combines a place in the bridge with a permit of the client's address.
    pub(crate) fn new(place: Arc<Place>, of_address: Permit<IpAddr>) -> Self {
        let connections = Mutex::new(Connections { list: Vec::new(), wait_for_token: true });
        Self(Arc::new(Socket { place, _of_address: of_address, connections }))
    }

    /// The socket waits for a token. From now on, it gives way to new sockets: the returned token is then cancelled.
    pub(crate) fn wait_for_token(&self) -> CancellationToken {
        self.0.connections().wait_for_token = true;
        self.0.place.set_session(false);
        self.0.place.set_waiting(Waiting::Opening);
        self.0.place.eviction()
    }

    /// The app checks the client's token. Meanwhile neither the socket nor its requests give way.
    pub(crate) fn check_token(&self) {
        self.0.place.set_busy();
        let mut connections = self.0.connections();
        connections.wait_for_token = false;
        connections.list.iter().filter_map(Weak::upgrade).for_each(|connection| connection.check_token());
    }

    /// The client has a session.
    pub(crate) fn begin_session(&self) {
        self.0.place.set_session(true);
    }

    /// Makes a connection one of this socket. A socket has few connections, so the longest idle one leaves for another
    /// one; proxies spread the requests of one client over many. Returns whether there was room.
    pub(crate) fn adopt(&self, connection: &Carrier) -> bool {
        let mut connections = self.0.connections();
        connections.list.retain(|known| known.strong_count() > 0);
        if !connections.list.iter().any(|known| is_same(known, connection)) {
            if connections.list.len() >= MAX_CONNECTIONS && !self.release_idle(&mut connections.list) {
                return false;
            }
            connections.list.push(Arc::downgrade(connection));
        }
        // The connection may leave another socket, which locks its own list.
        drop(connections);
        Arc::clone(connection).enter(self);
        let connections = self.0.connections();
        if connections.wait_for_token {
            connection.wait_for_token();
        }
        true
    }

    /// Lets go of the longest idle connection. Returns whether there is one.
    fn release_idle(&self, connections: &mut Vec<Weak<dyn Carry>>) -> bool {
        let idle = connections.iter().filter_map(|known| {
            let connection = known.upgrade()?;
            Some((connection.idle_since()?, connection))
        });
        let Some((_, connection)) = idle.min_by_key(|(since, _)| *since) else { return false };
        connections.retain(|known| !is_same(known, &connection));
        connection.leave(self.0.id());
        true
    }

    pub(crate) fn downgrade(&self) -> SocketRef {
        SocketRef(Arc::downgrade(&self.0))
    }
}

impl SocketRef {
    /// Whether this is the socket of a permit.
    pub(crate) fn is(&self, socket: &SocketPermit) -> bool {
        self.id() == socket.0.id()
    }

    pub(crate) fn id(&self) -> SocketId {
        SocketId(self.0.as_ptr().addr())
    }

    /// Takes a connection from the socket, if the socket is still open.
    pub(crate) fn release(&self, connection: &Carrier) {
        if let Some(socket) = self.0.upgrade() {
            socket.connections().list.retain(|known| !is_same(known, connection));
        }
    }
}

impl Socket {
    fn id(&self) -> SocketId {
        SocketId(std::ptr::from_ref(self).addr())
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let connections = std::mem::take(&mut self.connections().list);
        connections.iter().filter_map(Weak::upgrade).for_each(|connection| connection.leave(self.id()));
    }
}

fn is_same(known: &Weak<dyn Carry>, connection: &Carrier) -> bool {
    std::ptr::addr_eq(known.as_ptr(), Arc::as_ptr(connection))
}

//! Decides how long a connection may stay: strictly while a request arrives, and longer between two requests. Knows
//! whether the connection belongs to a socket.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use http::{HeaderValue, Response, StatusCode, header};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::limits::{
    Carrier, Carry, SocketId, SocketPermit, SocketRef,
    places::{Place, Waiting},
};

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The head of a request, since its first byte. A new connection waits for its first request in the same way.
    Head(Instant),
    /// The head of a response.
    Response,
    /// The end of a response. All of it is in memory, and the client has to take it.
    Body(Instant),
    /// The next request.
    Idle(Instant),
    /// Nothing: the connection is a WebSocket.
    Upgraded,
}

/// Time limits of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionLimits {
    /// For the TLS handshake, and for the head of each request.
    pub(crate) handshake: Duration,
    /// Between two requests, and for the client to take a response.
    pub(crate) keep_alive: Duration,
    /// How many requests in a row a connection may carry that belong to no socket. Then the connection is closed.
    pub(crate) requests_without_session: Option<u32>,
}

/// The lifetime of one connection.
pub(super) struct Lifetime {
    phase: watch::Sender<Phase>,
    place: Arc<Place>,
    limits: ConnectionLimits,
    /// The socket that the connection belongs to.
    socket: Mutex<Option<SocketRef>>,
    /// Whether the current request is one of that socket.
    is_of_socket: AtomicBool,
    requests_without_session: AtomicU32,
}

impl Lifetime {
    /// Begins to wait for the first request.
    pub(super) fn new(place: Arc<Place>, limits: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self {
            phase: watch::Sender::new(Phase::Head(Instant::now())),
            place,
            limits,
            socket: Mutex::default(),
            is_of_socket: AtomicBool::new(false),
            requests_without_session: AtomicU32::new(0),
        })
    }

    /// Bytes have arrived. Only the first bytes of a head have an effect, so that further ones prolong nothing.
    pub(super) fn receive(&self) {
        if self.change(|phase| matches!(phase, Phase::Idle(_)).then(|| Phase::Head(Instant::now()))) {
            self.place.set_waiting(Waiting::Opening);
        }
    }

    /// The head of a request is complete. The returned value ends the request when its response ends.
    pub(super) fn begin_request(self: &Arc<Self>, network: IpAddr) -> Request {
        self.change(|phase| (phase != Phase::Upgraded).then_some(Phase::Response));
        self.is_of_socket.store(false, Ordering::Relaxed);
        self.place.begin_request(network);
        Request(Arc::clone(self))
    }

    /// The head of a response is known.
    pub(super) fn begin_response<B>(self: &Arc<Self>, response: &mut Response<B>) {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            self.change(|_| Some(Phase::Upgraded));
            // The socket gives way, and not its connection.
            self.place.set_busy();
            return;
        }
        self.change(|_| Some(Phase::Body(Instant::now())));
        self.place.set_waiting(Waiting::Opening);
        if self.is_of_socket.load(Ordering::Relaxed) {
            self.requests_without_session.store(0, Ordering::Relaxed);
            return;
        }
        let carrier: Carrier = self.clone();
        let socket = self.socket().take();
        if let Some(socket) = socket {
            self.place.set_session(false);
            socket.release(&carrier);
        }
        let count = self.requests_without_session.fetch_add(1, Ordering::Relaxed) + 1;
        if self.limits.requests_without_session.is_some_and(|max| count >= max) {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }

    fn end_request(&self) {
        let is_request = |phase| matches!(phase, Phase::Response | Phase::Body(_));
        if self.change(|phase| is_request(phase).then(|| Phase::Idle(Instant::now()))) {
            self.place.set_waiting(Waiting::Idle);
        }
    }

    /// Changes the phase if `next` wants so. Returns whether it did.
    fn change(&self, next: impl FnOnce(Phase) -> Option<Phase>) -> bool {
        self.phase.send_if_modified(|phase| {
            let next = next(*phase);
            *phase = next.unwrap_or(*phase);
            next.is_some()
        })
    }

    /// Waits until the connection has exceeded a limit, or has lost its place.
    pub(super) async fn expired(&self) {
        let mut phases = self.phase.subscribe();
        loop {
            let deadline = match *phases.borrow_and_update() {
                Phase::Head(since) => Some(since + self.limits.handshake),
                Phase::Idle(since) | Phase::Body(since) => Some(since + self.limits.keep_alive),
                Phase::Response | Phase::Upgraded => None,
            };
            let reached = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = reached => return,
                () = self.place.evicted() => return,
                // The sender is this value.
                _ = phases.changed() => {}
            }
        }
    }

    fn socket(&self) -> MutexGuard<'_, Option<SocketRef>> {
        // Nothing panics while it holds the lock.
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Carry for Lifetime {
    fn enter(self: Arc<Self>, socket: &SocketPermit) {
        self.is_of_socket.store(true, Ordering::Relaxed);
        let mut current = self.socket();
        if current.as_ref().is_some_and(|before| before.is(socket)) {
            return;
        }
        let before = current.replace(socket.downgrade());
        self.place.set_session(true);
        // The other socket locks its list of connections.
        drop(current);
        if let Some(before) = before {
            let carrier: Carrier = self;
            before.release(&carrier);
        }
    }

    fn leave(&self, socket: SocketId) {
        let mut current = self.socket();
        if current.as_ref().is_none_or(|current| current.id() != socket) {
            return;
        }
        *current = None;
        self.is_of_socket.store(false, Ordering::Relaxed);
        // The connection of a WebSocket is about to be closed.
        if *self.phase.borrow() != Phase::Upgraded {
            self.place.set_session(false);
        }
    }

    fn idle_since(&self) -> Option<Instant> {
        match *self.phase.borrow() {
            Phase::Head(since) | Phase::Idle(since) => Some(since),
            Phase::Response | Phase::Body(_) | Phase::Upgraded => None,
        }
    }

    fn wait_for_token(&self) {
        self.place.set_waiting(Waiting::Opening);
    }

    fn check_token(&self) {
        if *self.phase.borrow() == Phase::Response {
            self.place.set_busy();
        }
    }

    fn wait_for_body(&self) {
        self.place.set_waiting(Waiting::Opening);
    }

    fn receive_body(&self) {
        self.place.set_busy();
    }
}

/// A request without the end of its response.
pub(super) struct Request(Arc<Lifetime>);

impl Drop for Request {
    fn drop(&mut self) {
        self.0.end_request();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{
        permits::Permits,
        places::{PlaceLimits, Places},
    };

    const NETWORK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    const LIMITS: ConnectionLimits = ConnectionLimits {
        handshake: Duration::from_secs(10),
        keep_alive: Duration::from_secs(75),
        requests_without_session: Some(2),
    };

    /// A connection of a bridge with two places.
    fn connection() -> Arc<Lifetime> {
        connections().0
    }

    fn connections() -> (Arc<Lifetime>, Arc<Places>) {
        let limits =
            PlaceLimits { total: 2, without_session: 2, per_network: None, is_behind_proxies: false };
        let places = Places::new(limits);
        (Lifetime::new(places.acquire(NETWORK).unwrap(), LIMITS), places)
    }

    fn socket() -> SocketPermit {
        let limits =
            PlaceLimits { total: 1, without_session: 1, per_network: None, is_behind_proxies: false };
        let of_address = Permits::new(1).try_acquire(NETWORK).unwrap();
        SocketPermit::new(Places::new(limits).acquire(NETWORK).unwrap(), of_address)
    }

    /// Begins a request of a socket, and returns whether the socket takes the connection.
    fn begin_request_of(socket: &SocketPermit, connection: &Arc<Lifetime>) -> (Request, bool) {
        let request = connection.begin_request(NETWORK);
        let carrier: Carrier = connection.clone();
        (request, socket.adopt(&carrier))
    }

    fn belongs_to(connection: &Lifetime, socket: &SocketPermit) -> bool {
        connection.socket().as_ref().is_some_and(|current| current.is(socket))
    }

    async fn seconds_until_expired(connection: &Lifetime) -> u64 {
        let start = Instant::now();
        connection.expired().await;
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_request_has_the_time_of_a_handshake() {
        let connection = connection();
        connection.receive();
        assert_eq!(seconds_until_expired(&connection).await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_a_response_has_no_limit_and_an_idle_connection_a_longer_one() {
        let connection = connection();
        let request = connection.begin_request(NETWORK);
        let answer = async {
            tokio::time::sleep(Duration::from_secs(1000)).await;
            drop(request);
        };
        let (seconds, ()) = tokio::join!(seconds_until_expired(&connection), answer);
        assert_eq!(seconds, 1075);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_drips_has_the_time_of_a_handshake_since_its_first_byte() {
        let connection = connection();
        drop(connection.begin_request(NETWORK));
        let drip = async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            loop {
                connection.receive();
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        let seconds = tokio::select! {
            seconds = seconds_until_expired(&connection) => seconds,
            () = drip => unreachable!(),
        };
        assert_eq!(seconds, 70);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_has_the_time_of_an_idle_connection_to_take_a_response() {
        let connection = connection();
        let _request = connection.begin_request(NETWORK);
        connection.begin_response(&mut Response::new(()));
        assert_eq!(seconds_until_expired(&connection).await, 75);
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_the_client_does_not_take_gives_way() {
        let (connection, places) = connections();
        let _request = connection.begin_request(NETWORK);
        let other = places.acquire(NETWORK).unwrap();
        other.set_busy();
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(places.acquire(NETWORK).is_err(), "the app may take its time");
        connection.begin_response(&mut Response::new(()));
        assert!(places.acquire(NETWORK).is_err(), "the client takes the response");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(places.acquire(NETWORK).is_ok());
        assert_eq!(seconds_until_expired(&connection).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_of_a_stranger_gives_way_until_it_is_complete() {
        let (connection, places) = connections();
        let _request = connection.begin_request(NETWORK);
        let _other = places.acquire(NETWORK).inspect(|other| other.set_busy());
        connection.wait_for_body();
        tokio::time::advance(Duration::from_secs(1)).await;
        connection.receive_body();
        assert!(places.acquire(NETWORK).is_err());
        connection.wait_for_body();
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(places.acquire(NETWORK).is_ok());
        assert_eq!(seconds_until_expired(&connection).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_of_a_client_without_a_token_gives_way_until_the_token_is_checked() {
        for has_token in [true, false] {
            let ((connection, places), socket) = (connections(), socket());
            let _request = begin_request_of(&socket, &connection);
            let other = places.acquire(NETWORK).unwrap();
            other.set_busy();
            if has_token {
                socket.check_token();
            }
            tokio::time::advance(Duration::from_secs(1)).await;
            assert_eq!(places.acquire(NETWORK).is_err(), has_token);
        }
    }

    #[tokio::test]
    async fn a_closed_socket_releases_no_connection_of_another_one() {
        let (connection, first, second) = (connection(), socket(), socket());
        drop(begin_request_of(&first, &connection));
        drop(begin_request_of(&second, &connection));
        connection.leave(first.downgrade().id());
        assert!(belongs_to(&connection, &second));
        drop(second);
        assert!(connection.socket().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_connection_leaves_a_socket_with_many() {
        let socket = socket();
        let connections: Vec<_> = (0..5).map(|_| connection()).collect();
        let mut requests = Vec::new();
        for connection in &connections[..4] {
            requests.push(begin_request_of(&socket, connection).0);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert!(!begin_request_of(&socket, &connections[4]).1, "each carries a request");
        for at in [2, 1] {
            drop(requests.remove(at));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert!(begin_request_of(&socket, &connections[4]).1);
        let belong: Vec<_> = connections.iter().map(|connection| belongs_to(connection, &socket)).collect();
        assert_eq!(belong, [true, true, false, true, true]);
    }

    #[tokio::test]
    async fn the_last_response_without_a_session_closes_the_connection() {
        let connection = connection();
        let closes = |status: StatusCode| {
            let request = connection.begin_request(NETWORK);
            let mut response = Response::builder().status(status).body(()).unwrap();
            connection.begin_response(&mut response);
            drop(request);
            response.headers().contains_key(header::CONNECTION)
        };
        assert_eq!([closes(StatusCode::OK), closes(StatusCode::OK)], [false, true]);
        assert!(!closes(StatusCode::SWITCHING_PROTOCOLS));
        assert_eq!(*connection.phase.borrow(), Phase::Upgraded, "a WebSocket is never idle");
    }
}

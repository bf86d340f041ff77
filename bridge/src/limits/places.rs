//! Counts connections, or sockets: in all, and those without a session also by themselves and per network. Where places
//! are short, those that only wait give way to new ones.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rollcall_protocol::ErrorCode;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a client may keep the bridge waiting before its connection gives way to others. What a client sends without
/// slowing down on purpose arrives sooner.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many connections a server holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlaceLimits {
    pub(crate) total: usize,
    pub(crate) without_session: usize,
    /// Those without a session from one network. `None`: no limit.
    pub(crate) per_network: Option<usize>,
    /// Behind proxies, the address of a new connection stands for many clients. What its network holds then says nothing
    /// about the client.
    pub(crate) is_behind_proxies: bool,
}

/// What a connection waits for. Connections that are idle give way first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Waiting {
    /// The next request.
    Idle,
    /// The rest of what opens a session: a TLS handshake, the head of a request, or a token. Or the rest of a body whose
    /// sender is unknown, or the client, which has to take a response.
    Opening,
}

/// The places of a server's connections.
pub(crate) struct Places {
    limits: PlaceLimits,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last_number: u64,
    connections: HashMap<u64, Connection>,
    /// Waiting connections without a session.
    waiting: BTreeSet<Wait>,
    /// Idle connections that belong to sockets.
    idle_in_sessions: BTreeSet<Wait>,
    without_session: usize,
    networks: HashMap<IpAddr, Network>,
    /// Networks with waiting connections, by their number of connections without a session.
    by_count: BTreeSet<(usize, IpAddr)>,
}

/// The connections without a session of one network.
#[derive(Default)]
struct Network {
    count: usize,
    waiting: BTreeSet<Wait>,
}

struct Connection {
    network: IpAddr,
    has_session: bool,
    wait: Option<Wait>,
    evicted: CancellationToken,
}

/// Since when a connection waits. The order of these values is the order in which connections give way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wait {
    waiting: Waiting,
    since: Instant,
    connection: u64,
}

/// The place of one connection. Dropping it frees the place.
pub(crate) struct Place {
    places: Arc<Places>,
    connection: u64,
    evicted: CancellationToken,
}

impl Places {
    pub(crate) fn new(limits: PlaceLimits) -> Arc<Self> {
        Arc::new(Self { limits, state: Mutex::default() })
    }

    /// Takes a place for a new connection, in the worst case that of a connection that only waits.
    pub(crate) fn acquire(self: &Arc<Self>, network: IpAddr) -> Result<Arc<Place>, ErrorCode> {
        let mut state = self.lock();
        while let Some(code) = self.shortage(&state, network) {
            let victim = if code == ErrorCode::TooManyFromAddress {
                state.longest_waiting_of(network, false)
            } else {
                self.find_victim(&state, network)
            };
            state.evict(victim.ok_or(code)?);
        }
        state.last_number += 1;
        let (connection, evicted) = (state.last_number, CancellationToken::new());
        let wait = Wait { waiting: Waiting::Opening, since: Instant::now(), connection };
        let added = Connection { network, has_session: false, wait: Some(wait), evicted: evicted.clone() };
        state.insert(connection, added);
        drop(state);
        Ok(Arc::new(Place { places: Arc::clone(self), connection, evicted }))
    }

    /// Why a new connection needs the place of another one.
    fn shortage(&self, state: &State, network: IpAddr) -> Option<ErrorCode> {
        let PlaceLimits { total, without_session, per_network, .. } = self.limits;
        if per_network.is_some_and(|max| state.count_of(network) >= max) {
            return Some(ErrorCode::TooManyFromAddress);
        }
        let is_short = state.connections.len() >= total || state.without_session >= without_session;
        is_short.then_some(ErrorCode::Overloaded)
    }

    /// The network with the most connections gives way first, so that a network with few connections always gets one
    /// more. Otherwise only connections give way that have waited for a while: first those of the new connection's
    /// network, then those of networks that have no fewer connections. A school behind one address may need the place of
    /// an idle connection of a session; how much a flood can take in this way is bounded by the limits for connections
    /// without a session.
    fn find_victim(&self, state: &State, network: IpAddr) -> Option<u64> {
        let count = state.count_of(network);
        let largest = state.by_count.last().filter(|(largest, _)| *largest > count + 1);
        let is_total_short = state.connections.len() >= self.limits.total;
        largest
            .and_then(|&(_, largest)| state.longest_waiting_of(largest, true))
            .or_else(|| state.longest_waiting_of(network, false))
            .or_else(|| state.longest_waiting_of_peers(if self.limits.is_behind_proxies { 0 } else { count }))
            .or_else(|| first(&state.idle_in_sessions, false).filter(|_| is_total_short))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection that has waited longest. `even_fresh`: also if its head may still arrive in a moment.
fn first(waiting: &BTreeSet<Wait>, even_fresh: bool) -> Option<u64> {
    let wait = waiting.first().filter(|wait| even_fresh || wait.is_late())?;
    Some(wait.connection)
}

impl Wait {
    fn is_late(&self) -> bool {
        self.waiting == Waiting::Idle || self.since.elapsed() >= PATIENCE
    }
}

impl State {
    fn count_of(&self, network: IpAddr) -> usize {
        self.networks.get(&network).map_or(0, |network| network.count)
    }

    fn longest_waiting_of(&self, network: IpAddr, even_fresh: bool) -> Option<u64> {
        first(&self.networks.get(&network)?.waiting, even_fresh)
    }

    /// The connection that has waited longest among those of networks with at least this many connections.
    fn longest_waiting_of_peers(&self, min_count: usize) -> Option<u64> {
        let mut late = self.waiting.iter().take_while(|wait| wait.is_late()).map(|wait| wait.connection);
        late.find(|number| self.count_of(self.connections[number].network) >= min_count)
    }

    fn evict(&mut self, connection: u64) {
        if let Some(evicted) = self.remove(connection) {
            evicted.evicted.cancel();
        }
    }

    fn change(&mut self, number: u64, change: impl FnOnce(&mut Connection)) {
        // An evicted connection is not counted any more.
        if let Some(mut connection) = self.remove(number) {
            change(&mut connection);
            self.insert(number, connection);
        }
    }

    fn insert(&mut self, number: u64, connection: Connection) {
        if connection.has_session {
            self.idle_in_sessions.extend(connection.wait);
        } else {
            self.without_session += 1;
            self.waiting.extend(connection.wait);
            self.change_network(connection.network, |network| {
                network.count += 1;
                network.waiting.extend(connection.wait);
            });
        }
        self.connections.insert(number, connection);
    }

    fn remove(&mut self, number: u64) -> Option<Connection> {
        let connection = self.connections.remove(&number)?;
        let wait = connection.wait.as_ref();
        if connection.has_session {
            wait.map(|wait| self.idle_in_sessions.remove(wait));
        } else {
            self.without_session -= 1;
            wait.map(|wait| self.waiting.remove(wait));
            self.change_network(connection.network, |network| {
                network.count -= 1;
                wait.map(|wait| network.waiting.remove(wait));
            });
        }
        Some(connection)
    }

    fn change_network(&mut self, address: IpAddr, change: impl FnOnce(&mut Network)) {
        let network = self.networks.entry(address).or_default();
        self.by_count.remove(&(network.count, address));
        change(network);
        if network.count == 0 {
            self.networks.remove(&address);
        } else if !network.waiting.is_empty() {
            self.by_count.insert((network.count, address));
        }
    }
}

impl Place {
    /// The connection waits from now on.
    pub(crate) fn set_waiting(&self, waiting: Waiting) {
        let wait = Wait { waiting, since: Instant::now(), connection: self.connection };
        self.places.lock().change(self.connection, |connection| connection.wait = Some(wait));
    }

    /// The connection belongs to a socket, or does not.
    pub(crate) fn set_session(&self, has_session: bool) {
        self.places.lock().change(self.connection, |connection| connection.has_session = has_session);
    }

    /// The connection waits for nothing: its token is being checked, or its request is served.
    pub(crate) fn set_busy(&self) {
        self.places.lock().change(self.connection, |connection| connection.wait = None);
    }

    /// The connection carries a request of a client in this network.
    pub(crate) fn begin_request(&self, network: IpAddr) {
        self.places.lock().change(self.connection, |connection| {
            connection.wait = None;
            connection.network = network;
        });
    }

    /// The connection is closed, and only what is still on its way is read.
    pub(crate) fn linger(&self) {
        self.set_session(false);
        self.set_waiting(Waiting::Idle);
    }

    /// Waits until a new connection has got the place.
    pub(crate) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }

    /// Is cancelled when a new connection has got the place. Does not keep the place.
    pub(crate) fn eviction(&self) -> CancellationToken {
        self.evicted.clone()
    }

    pub(crate) fn is_evicted(&self) -> bool {
        self.evicted.is_cancelled()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().remove(self.connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PlaceLimits =
        PlaceLimits { total: 6, without_session: 4, per_network: Some(3), is_behind_proxies: false };

    fn address(network: u8) -> IpAddr {
        [192, 0, 2, network].into()
    }

    struct Fixture(Arc<Places>);

    impl Fixture {
        fn new() -> Self {
            Self(Places::new(LIMITS))
        }

        fn acquire(&self, network: u8) -> Result<Arc<Place>, ErrorCode> {
            self.0.acquire(address(network))
        }

        fn idle(&self, network: u8) -> Arc<Place> {
            let place = self.acquire(network).unwrap();
            place.set_waiting(Waiting::Idle);
            place
        }

        fn busy(&self, network: u8) -> Arc<Place> {
            let place = self.acquire(network).unwrap();
            place.begin_request(address(network));
            place
        }

        fn in_session(&self, network: u8) -> Arc<Place> {
            let place = self.busy(network);
            place.set_session(true);
            place
        }

        fn in_session_and_idle(&self, network: u8) -> Arc<Place> {
            let place = self.in_session(network);
            place.set_waiting(Waiting::Idle);
            place
        }
    }

    #[tokio::test(start_paused = true)]
    async fn in_a_network_at_its_limit_the_longest_idle_connection_gives_way() {
        let fixture = Fixture::new();
        let connections = [fixture.busy(1), fixture.idle(1), fixture.idle(1)];
        let _next = fixture.acquire(1).unwrap();
        assert_eq!(connections.each_ref().map(|place| place.is_evicted()), [false, true, false]);
        connections[2].begin_request(address(1));
        assert_eq!(
            fixture.acquire(1).err(),
            Some(ErrorCode::TooManyFromAddress),
            "nothing has waited for long"
        );
        tokio::time::advance(PATIENCE).await;
        assert!(fixture.acquire(1).is_ok(), "a slow head gives way");
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_with_many_connections_gives_way_to_one_with_few() {
        let fixture = Fixture::new();
        let other = fixture.idle(2);
        let fresh = [fixture.acquire(1).unwrap(), fixture.acquire(1).unwrap(), fixture.acquire(1).unwrap()];
        let _newcomers = [fixture.acquire(3).unwrap(), fixture.acquire(4).unwrap()];
        assert_eq!(fresh.each_ref().map(|place| place.is_evicted()), [true, true, false]);
        assert!(!other.is_evicted());
        let _newcomer = fixture.acquire(5).unwrap();
        assert!(other.is_evicted(), "among equals, the idle connection gives way");
        assert_eq!(fixture.acquire(6).err(), Some(ErrorCode::Overloaded));
    }

    #[tokio::test(start_paused = true)]
    async fn connections_of_sockets_have_places_of_their_own_and_give_way_last() {
        let fixture = Fixture::new();
        let sessions =
            [fixture.in_session(1), fixture.in_session(1), fixture.in_session(1), fixture.in_session(1)];
        sessions[1].set_waiting(Waiting::Idle);
        let idle = [fixture.idle(2), fixture.idle(3)];
        let _busy = fixture.busy(4);
        assert!(idle[0].is_evicted());
        let _busy = fixture.busy(5);
        assert!(idle[1].is_evicted());
        assert!(!sessions[1].is_evicted());
        let _busy = fixture.busy(6);
        assert!(sessions[1].is_evicted());
        assert_eq!(fixture.acquire(7).err(), Some(ErrorCode::Overloaded));
    }

    #[tokio::test(start_paused = true)]
    async fn newcomers_of_one_network_take_the_places_of_idle_connections_of_sockets() {
        let fixture = Fixture::new();
        let sessions: Vec<_> = (0..LIMITS.total).map(|_| fixture.in_session_and_idle(1)).collect();
        let _newcomers = [fixture.acquire(2).unwrap(), fixture.acquire(2).unwrap()];
        assert_eq!(sessions.iter().filter(|place| place.is_evicted()).count(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_takes_nothing_from_networks_with_fewer_connections() {
        for is_behind_proxies in [false, true] {
            let limits = PlaceLimits { total: 3, without_session: 3, per_network: None, is_behind_proxies };
            let fixture = Fixture(Places::new(limits));
            let small = fixture.acquire(1).unwrap();
            let _large = [fixture.busy(2), fixture.busy(2)];
            tokio::time::advance(PATIENCE).await;
            assert_eq!(fixture.acquire(2).is_ok(), is_behind_proxies);
            assert_eq!(small.is_evicted(), is_behind_proxies);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_network_shields_no_other() {
        let fixture = Fixture(Places::new(PlaceLimits { total: 5, without_session: 5, ..LIMITS }));
        let _busy = [fixture.busy(1), fixture.busy(1), fixture.busy(1)];
        let waiting = [fixture.acquire(2).unwrap(), fixture.acquire(2).unwrap()];
        let _newcomer = fixture.acquire(3).unwrap();
        assert!(waiting[0].is_evicted());
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_or_evicted_place_leaves_nothing_behind() {
        let fixture = Fixture::new();
        let (first, second) = (fixture.idle(1), fixture.in_session(1));
        second.set_session(false);
        second.begin_request(address(9));
        fixture.0.lock().evict(1);
        first.begin_request(address(1));
        drop((first, second));
        let state = fixture.0.lock();
        assert!(state.connections.is_empty() && state.networks.is_empty() && state.by_count.is_empty());
        assert!(state.waiting.is_empty() && state.idle_in_sessions.is_empty() && state.without_session == 0);
    }
}

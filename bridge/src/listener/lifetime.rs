//! Decides how long a connection may stay: strictly while a request arrives, and longer between two requests.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::stream::SharedPermit;

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The head of a request, since its first byte. A new connection waits for its first request in the same way.
    Head(Instant),
    /// The end of a response.
    Response,
    /// The next request.
    Idle { since: Instant, place: u64 },
    /// Its end, because a new connection has got its permit.
    Evicted,
}

/// Time limits of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionLimits {
    /// For the TLS handshake, and for the head of each request.
    pub(crate) handshake: Duration,
    /// Between two requests.
    pub(crate) keep_alive: Duration,
}

/// The lifetime of one connection.
pub(super) struct Lifetime {
    phase: watch::Sender<Phase>,
    permit: SharedPermit,
    idle: Arc<IdleConnections>,
}

impl Lifetime {
    /// Begins to wait for the first request.
    pub(super) fn new(permit: SharedPermit, idle: Arc<IdleConnections>) -> Arc<Self> {
        let phase = watch::Sender::new(Phase::Head(Instant::now()));
        Arc::new(Self { phase, permit, idle })
    }

    /// Bytes have arrived. Only the first bytes of a head have an effect, so that further ones prolong nothing.
    pub(super) fn receive(&self) {
        self.leave_idle(Phase::Head(Instant::now()));
    }

    /// The head of a request is complete. The returned value ends the request when its response ends.
    pub(super) fn begin_request(self: &Arc<Self>) -> Request {
        if !self.leave_idle(Phase::Response) {
            self.change(|phase| matches!(phase, Phase::Head(_)).then_some(Phase::Response));
        }
        Request(Arc::clone(self))
    }

    fn end_request(self: &Arc<Self>) {
        let place = self.idle.add(self);
        let since = Instant::now();
        let before = self.change(|phase| (phase == Phase::Response).then_some(Phase::Idle { since, place }));
        if before != Phase::Response {
            self.idle.remove(place);
        }
    }

    fn leave_idle(&self, next: Phase) -> bool {
        let before = self.change(|phase| matches!(phase, Phase::Idle { .. }).then_some(next));
        if let Phase::Idle { place, .. } = before {
            self.idle.remove(place);
        }
        matches!(before, Phase::Idle { .. })
    }

    /// Gives up the permit, unless the connection has got a request in the meantime.
    fn evict(&self, from: u64) -> bool {
        let is_idle = |phase| matches!(phase, Phase::Idle { place, .. } if place == from);
        if !is_idle(self.change(|phase| is_idle(phase).then_some(Phase::Evicted))) {
            return false;
        }
        self.permit.take();
        true
    }

    /// Changes the phase if `next` wants so. Returns the phase before.
    fn change(&self, next: impl FnOnce(Phase) -> Option<Phase>) -> Phase {
        let mut before = Phase::Evicted;
        self.phase.send_if_modified(|phase| {
            before = *phase;
            let next = next(before);
            let is_changed = next.is_some();
            *phase = next.unwrap_or(before);
            is_changed
        });
        before
    }

    /// Waits until the connection has exceeded a limit.
    pub(super) async fn expired(&self, limits: ConnectionLimits) {
        let mut phases = self.phase.subscribe();
        loop {
            let deadline = match *phases.borrow_and_update() {
                Phase::Head(since) => Some(since + limits.handshake),
                Phase::Idle { since, .. } => Some(since + limits.keep_alive),
                Phase::Response => None,
                Phase::Evicted => return,
            };
            let reached = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = reached => return,
                // The sender is this value.
                _ = phases.changed() => {}
            }
        }
    }
}

impl Drop for Lifetime {
    fn drop(&mut self) {
        if let Phase::Idle { place, .. } = *self.phase.borrow() {
            self.idle.remove(place);
        }
    }
}

/// A request without the end of its response.
pub(super) struct Request(Arc<Lifetime>);

impl Drop for Request {
    fn drop(&mut self) {
        self.0.end_request();
    }
}

/// The idle connections of a server, the longest idle one first. When permits are short, these connections give up
/// theirs: a client opens another connection for its next request, but a stranger cannot hold the permits of others.
#[derive(Default)]
pub(super) struct IdleConnections {
    last_place: AtomicU64,
    by_place: Mutex<BTreeMap<u64, Weak<Lifetime>>>,
}

impl IdleConnections {
    fn add(&self, connection: &Arc<Lifetime>) -> u64 {
        let place = self.last_place.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(place, Arc::downgrade(connection));
        place
    }

    fn remove(&self, place: u64) {
        self.lock().remove(&place);
    }

    /// Closes the connection that has been idle longest, and frees its permit. Returns whether there was one.
    pub(super) fn evict_longest_idle(&self) -> bool {
        loop {
            // The lock is free again before the connection changes its phase.
            let longest = self.lock().pop_first();
            let Some((place, connection)) = longest else { return false };
            if connection.upgrade().is_some_and(|connection| connection.evict(place)) {
                return true;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Weak<Lifetime>>> {
        self.by_place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{limits::permits::Permits, listener::stream::ConnectionPermit};

    const LIMITS: ConnectionLimits =
        ConnectionLimits { handshake: Duration::from_secs(10), keep_alive: Duration::from_secs(75) };

    struct Fixture {
        permits: Permits<()>,
        idle: Arc<IdleConnections>,
    }

    impl Fixture {
        fn new() -> Self {
            Self { permits: Permits::new(2), idle: Arc::default() }
        }

        fn connection(&self) -> Option<Arc<Lifetime>> {
            let permit = ConnectionPermit { _of_total: self.permits.try_acquire(())?, _of_address: None };
            Some(Lifetime::new(SharedPermit::new(permit), Arc::clone(&self.idle)))
        }
    }

    async fn seconds_until_expired(connection: &Lifetime) -> u64 {
        let start = Instant::now();
        connection.expired(LIMITS).await;
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_request_has_the_time_of_a_handshake() {
        let connection = Fixture::new().connection().unwrap();
        connection.receive();
        assert_eq!(seconds_until_expired(&connection).await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_has_no_limit_and_an_idle_connection_a_longer_one() {
        let connection = Fixture::new().connection().unwrap();
        let request = connection.begin_request();
        let answer = async {
            tokio::time::sleep(Duration::from_secs(1000)).await;
            drop(request);
        };
        let (seconds, ()) = tokio::join!(seconds_until_expired(&connection), answer);
        assert_eq!(seconds, 1075);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_drips_has_the_time_of_a_handshake_since_its_first_byte() {
        let connection = Fixture::new().connection().unwrap();
        drop(connection.begin_request());
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
    async fn the_longest_idle_connection_gives_up_its_permit_and_busy_ones_never_do() {
        let fixture = Fixture::new();
        let (busy, idle) = (fixture.connection().unwrap(), fixture.connection().unwrap());
        assert!(fixture.connection().is_none());
        let request = busy.begin_request();
        assert!(!fixture.idle.evict_longest_idle(), "no connection is idle");
        drop(idle.begin_request());
        assert!(fixture.idle.evict_longest_idle());
        assert_eq!(seconds_until_expired(&idle).await, 0);
        let next = fixture.connection().unwrap();
        drop(next.begin_request());
        drop(request);
        assert!(fixture.idle.evict_longest_idle());
        assert_eq!(seconds_until_expired(&next).await, 0, "it has been idle for longer");
        drop(busy);
        assert!(!fixture.idle.evict_longest_idle());
        assert!(fixture.idle.lock().is_empty());
    }
}

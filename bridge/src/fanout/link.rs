//! What all connections to Redis do that carry subscriptions: they keep the rooms of a route subscribed, and hand events to
//! the hub.

use std::{convert::Infallible, time::Duration};

use anyhow::Context;
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures_util::{Stream, StreamExt};
use rollcall_protocol::{RoomId, fanout::Envelope};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep_until, timeout};

use super::{coalesce::Coalescer, hub::Hub, resync::ResyncQueue, routes::Route};

/// How long Redis may take to answer.
pub(super) const REPLY_LIMIT: Duration = Duration::from_secs(5);

/// A quiet connection is pinged this often, because nothing else would show that it is dead.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// Most rooms in one command.
const BATCH: usize = 1000;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// A connection that carries the subscriptions of a route.
pub(super) trait Link {
    /// Subscribes to rooms, and returns when Redis has confirmed.
    fn subscribe(&mut self, rooms: &[RoomId]) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Ends subscriptions to rooms.
    fn unsubscribe(&mut self, rooms: &[RoomId]) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Finds out whether the connection still works.
    fn ping(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// The subscriptions of a route, as the hub needs them.
pub(super) struct Follower<'a> {
    pub(super) hub: &'a Hub,
    pub(super) resync: &'a ResyncQueue,
    pub(super) route: Route,
}

impl Follower<'_> {
    /// Subscribes to all rooms over a new connection.
    pub(super) async fn start(&self, link: &mut impl Link) -> anyhow::Result<()> {
        self.add(link, &self.hub.start_generation(self.route)).await
    }

    /// Follows the hub until the connection breaks.
    pub(super) async fn run(&self, link: &mut impl Link) -> anyhow::Result<Infallible> {
        loop {
            let Ok((wanted, unwanted)) = timeout(PING_INTERVAL, self.hub.changes(self.route)).await else {
                timeout(REPLY_LIMIT, link.ping()).await.context("PING")??;
                continue;
            };
            self.add(link, &wanted).await?;
            for rooms in unwanted.chunks(BATCH) {
                timeout(REPLY_LIMIT, link.unsubscribe(rooms)).await.context("UNSUBSCRIBE")??;
            }
        }
    }

    async fn add(&self, link: &mut impl Link, rooms: &[RoomId]) -> anyhow::Result<()> {
        for rooms in rooms.chunks(BATCH) {
            timeout(REPLY_LIMIT, link.subscribe(rooms)).await.context("SUBSCRIBE")??;
            self.resync.request(self.hub.confirm_subscribed(self.route, rooms));
        }
        Ok(())
    }
}

/// Broadcasts events until their connection ends. The changes that are held then are dropped: the rooms are read again
/// after a new connection.
pub(super) async fn broadcast(hub: &Hub, mut events: impl Stream<Item = (RoomId, Envelope)> + Unpin) {
    let mut coalescer = Coalescer::new(hub);
    loop {
        let due = coalescer.next_due();
        tokio::select! {
            event = events.next() => {
                let Some((room, envelope)) = event else { return };
                for update in coalescer.push(&room, envelope, Instant::now()) {
                    hub.broadcast(&room, &update);
                }
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                for (room, update) in coalescer.due(Instant::now()) {
                    hub.broadcast(&room, &update);
                }
            }
        }
    }
}

/// Reads an event from the channel of its room.
pub(super) fn read_event(channel: &str, prefix: &str, payload: &[u8]) -> Option<(RoomId, Envelope)> {
    let room: RoomId = channel.strip_prefix(prefix)?.parse().ok()?;
    Some((room, read_json(channel, payload)?))
}

/// Reads what was published on a channel.
pub(super) fn read_json<T: DeserializeOwned>(channel: &str, payload: &[u8]) -> Option<T> {
    let read = serde_json::from_slice(payload);
    read.inspect_err(|error| tracing::error!(channel, %error, "redis.unreadable_event")).ok()
}

/// Pauses between attempts to connect, with jitter so that bridges do not come back in step.
pub(super) struct Pauses {
    longest: Duration,
    pauses: ExponentialBackoff,
}

impl Pauses {
    /// Pauses that grow to about this time.
    pub(super) fn up_to(longest: Duration) -> Self {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(FIRST_PAUSE)
            .with_max_delay(longest)
            .without_max_times()
            .with_jitter();
        Self { longest, pauses: pauses.build() }
    }

    /// The pause after a connection that was tried at this time.
    pub(super) fn after(&mut self, tried_at: Instant) -> Duration {
        // A connection that held starts the backoff anew.
        if tried_at.elapsed() > self.longest {
            *self = Self::up_to(self.longest);
        }
        self.pauses.next().unwrap_or(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bridges_pause_for_different_times() {
        let pauses = || Pauses::up_to(LONGEST_PAUSE).after(Instant::now());
        let first = pauses();
        assert!((0..100).any(|_| pauses() != first));
        assert!(first >= FIRST_PAUSE);
    }
}

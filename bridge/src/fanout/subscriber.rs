//! Keeps the subscriptions in Redis as the hub needs them, over one connection that is opened again when it breaks.

use std::{convert::Infallible, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures_util::{Stream, StreamExt};
use redis::{Msg, aio::PubSubSink};
use rollcall_protocol::{Keyspace, NodeId, RoomId, fanout::Envelope};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{coalesce::Coalescer, hub::Hub, resync::ResyncQueue};
use crate::{app::sweep_timer::SweepTimer, health::Health, telemetry::metrics};

/// How long Redis may take to answer.
const REPLY_LIMIT: Duration = Duration::from_secs(5);

/// A quiet connection is pinged this often, because nothing else would show that it is dead.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// Most rooms in one command.
const BATCH: usize = 1000;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Subscribes to rooms and hands their events to the hub.
pub(crate) struct Subscriber {
    pub(crate) redis: redis::Client,
    pub(crate) keyspace: Keyspace,
    pub(crate) node: NodeId,
    pub(crate) hub: Arc<Hub>,
    pub(crate) resync: Arc<ResyncQueue>,
    pub(crate) health: Arc<Health>,
    pub(crate) sweep_timer: Arc<SweepTimer>,
}

impl Subscriber {
    /// Subscribes until the future is dropped.
    pub(crate) async fn run(self) {
        let mut pauses = pauses();
        loop {
            let started = Instant::now();
            let Err(error) = self.subscribe().await;
            self.health.record_unsubscribed();
            // A connection that held starts the backoff anew.
            if started.elapsed() > LONGEST_PAUSE {
                pauses = self::pauses();
            }
            let pause = pauses.next().unwrap_or(LONGEST_PAUSE);
            tracing::warn!(error = format!("{error:#}"), pause_ms = pause.as_millis(), "redis.disconnected");
            sleep(pause).await;
        }
    }

    async fn subscribe(&self) -> anyhow::Result<Infallible> {
        let connection =
            timeout(REPLY_LIMIT, self.redis.get_async_pubsub()).await.context("no connection in time")??;
        let (sink, messages) = connection.split();
        tracing::info!("redis.connected");
        tokio::select! {
            ended = self.follow_hub(sink) => ended,
            () = self.receive(messages) => bail!("the connection was closed"),
        }
    }

    async fn follow_hub(&self, mut sink: PubSubSink) -> anyhow::Result<Infallible> {
        let own = [self.keyspace.node_channel(&self.node), self.keyspace.due_channel()];
        timeout(REPLY_LIMIT, sink.subscribe(&own)).await.context("SUBSCRIBE")??;
        self.add(&mut sink, &self.hub.start_generation()).await?;
        self.health.record_subscribed(Instant::now());
        metrics::record_redis_connected();
        loop {
            let Ok((wanted, unwanted)) = timeout(PING_INTERVAL, self.hub.changes()).await else {
                timeout(REPLY_LIMIT, sink.ping::<redis::Value>()).await.context("PING")??;
                continue;
            };
            self.add(&mut sink, &wanted).await?;
            for rooms in unwanted.chunks(BATCH) {
                timeout(REPLY_LIMIT, sink.unsubscribe(self.channels(rooms)))
                    .await
                    .context("UNSUBSCRIBE")??;
            }
        }
    }

    async fn add(&self, sink: &mut PubSubSink, rooms: &[RoomId]) -> anyhow::Result<()> {
        for rooms in rooms.chunks(BATCH) {
            timeout(REPLY_LIMIT, sink.subscribe(self.channels(rooms))).await.context("SUBSCRIBE")??;
            self.resync.request(self.hub.confirm_subscribed(rooms));
        }
        Ok(())
    }

    /// Broadcasts events until the connection ends. The changes that are held then are dropped: every room is read again
    /// after a new connection.
    async fn receive(&self, mut messages: impl Stream<Item = Msg> + Unpin) {
        let (node_channel, prefix) = (self.keyspace.node_channel(&self.node), self.keyspace.channel_prefix());
        let due_channel = self.keyspace.due_channel();
        let mut coalescer = Coalescer::new(&self.hub);
        loop {
            let due = coalescer.next_due();
            tokio::select! {
                message = messages.next() => {
                    let Some(message) = message else { return };
                    if message.get_channel_name() == node_channel {
                        self.health.record_signal(Instant::now());
                        continue;
                    }
                    if message.get_channel_name() == due_channel {
                        read_json(&message).into_iter().for_each(|next_due| self.sweep_timer.learn(next_due));
                        continue;
                    }
                    let Some((room, envelope)) = parse(&message, &prefix) else { continue };
                    for update in coalescer.push(&room, envelope, Instant::now()) {
                        self.hub.broadcast(&room, &update);
                    }
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    for (room, update) in coalescer.due(Instant::now()) {
                        self.hub.broadcast(&room, &update);
                    }
                }
            }
        }
    }

    fn channels(&self, rooms: &[RoomId]) -> Vec<String> {
        rooms.iter().map(|room| self.keyspace.channel(room)).collect()
    }
}

fn read_json<T: DeserializeOwned>(message: &Msg) -> Option<T> {
    let read = serde_json::from_slice(message.get_payload_bytes());
    read.inspect_err(|error| {
        tracing::error!(channel = message.get_channel_name(), %error, "redis.unreadable_event");
    })
    .ok()
}

/// Pauses between attempts to connect, with jitter so that bridges do not come back in step.
fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .without_max_times()
        .with_jitter()
        .build()
}

fn parse(message: &Msg, prefix: &str) -> Option<(RoomId, Envelope)> {
    let room: RoomId = message.get_channel_name().strip_prefix(prefix)?.parse().ok()?;
    Some((room, read_json(message)?))
}

//! Keeps the subscriptions in Redis as the hub needs them, over one connection that is opened again when it breaks. In a
//! cluster, the rooms of each shard have a connection of their own.

use std::{convert::Infallible, future::ready, sync::Arc};

use anyhow::{Context, bail};
use futures_util::{Stream, StreamExt};
use redis::{Msg, aio::PubSubSink};
use rollcall_protocol::{Keyspace, NodeId, RoomId, fanout::Envelope};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{
    hub::Hub,
    link::{self, Follower, LONGEST_PAUSE, Link, Pauses, REPLY_LIMIT},
    resync::ResyncQueue,
    routes::Route,
    shard::ShardSubscriber,
};
use crate::{app::sweep_timer::SweepTimer, health::Health, telemetry::metrics};

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
        tokio::join!(self.keep_connected(), self.serve_shards());
    }

    async fn keep_connected(&self) {
        let mut pauses = Pauses::up_to(LONGEST_PAUSE);
        loop {
            let started = Instant::now();
            let Err(error) = self.subscribe().await;
            self.health.record_unsubscribed();
            let pause = pauses.after(started);
            tracing::warn!(error = format!("{error:#}"), pause_ms = pause.as_millis(), "redis.disconnected");
            sleep(pause).await;
        }
    }

    /// Subscribes to the rooms of every shard that the hub learns of.
    async fn serve_shards(&self) {
        let (mut shards, mut served) = (self.hub.shards(), JoinSet::new());
        // The hub outlives this future.
        while let Ok(count) = shards.wait_for(|count| *count > served.len() as u64).await.map(|count| *count)
        {
            self.health.record_shards(count);
            for shard in served.len() as u64..count {
                let subscriber = ShardSubscriber {
                    redis: self.redis.clone(),
                    keyspace: self.keyspace.clone(),
                    shard,
                    hub: Arc::clone(&self.hub),
                    resync: Arc::clone(&self.resync),
                    health: Arc::clone(&self.health),
                };
                served.spawn(subscriber.run());
            }
        }
    }

    async fn subscribe(&self) -> anyhow::Result<Infallible> {
        let connection =
            timeout(REPLY_LIMIT, self.redis.get_async_pubsub()).await.context("no connection in time")??;
        let (sink, messages) = connection.split();
        tracing::info!("redis.connected");
        tokio::select! {
            ended = self.follow_hub(PlainLink { sink, keyspace: &self.keyspace }) => ended,
            () = link::broadcast(&self.hub, self.events(messages)) => bail!("the connection was closed"),
        }
    }

    async fn follow_hub(&self, mut link: PlainLink<'_>) -> anyhow::Result<Infallible> {
        let own = [self.keyspace.node_channel(&self.node), self.keyspace.due_channel()];
        timeout(REPLY_LIMIT, link.sink.subscribe(&own)).await.context("SUBSCRIBE")??;
        let follower = Follower { hub: &self.hub, resync: &self.resync, route: Route::Plain };
        follower.start(&mut link).await?;
        self.health.record_subscribed(Instant::now());
        metrics::record_redis_connected();
        follower.run(&mut link).await
    }

    /// The events of rooms. Takes the messages for the bridge itself.
    fn events(
        &self,
        messages: impl Stream<Item = Msg> + Unpin,
    ) -> impl Stream<Item = (RoomId, Envelope)> + Unpin {
        let (node_channel, prefix) = (self.keyspace.node_channel(&self.node), self.keyspace.channel_prefix());
        let due_channel = self.keyspace.due_channel();
        messages.filter_map(move |message| {
            let (channel, payload) = (message.get_channel_name(), message.get_payload_bytes());
            if channel == node_channel {
                self.health.record_signal(Instant::now());
                return ready(None);
            }
            if channel == due_channel {
                link::read_json(channel, payload)
                    .into_iter()
                    .for_each(|next_due| self.sweep_timer.learn(next_due));
                return ready(None);
            }
            ready(link::read_event(channel, &prefix, payload))
        })
    }
}

/// The connection to a Redis that is no cluster.
struct PlainLink<'a> {
    sink: PubSubSink,
    keyspace: &'a Keyspace,
}

impl PlainLink<'_> {
    fn channels(&self, rooms: &[RoomId]) -> Vec<String> {
        rooms.iter().map(|room| self.keyspace.channel(room)).collect()
    }
}

impl Link for PlainLink<'_> {
    async fn subscribe(&mut self, rooms: &[RoomId]) -> anyhow::Result<()> {
        Ok(self.sink.subscribe(self.channels(rooms)).await?)
    }

    async fn unsubscribe(&mut self, rooms: &[RoomId]) -> anyhow::Result<()> {
        Ok(self.sink.unsubscribe(self.channels(rooms)).await?)
    }

    async fn ping(&mut self) -> anyhow::Result<()> {
        Ok(self.sink.ping::<redis::Value>().await.map(drop)?)
    }
}

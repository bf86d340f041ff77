//! Keeps the subscriptions in Redis as the hub needs them, over one connection that is made anew when it breaks.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, bail};
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures_util::{Stream, StreamExt};
use redis::{Msg, aio::PubSubSink};
use rollcall_protocol::{
    RoomId,
    fanout::{self, Envelope},
};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::{burst::Bursts, gateway::Gateway, hub::Hub, telemetry::metrics};

/// How long Redis may take to answer.
const REPLY_LIMIT: Duration = Duration::from_secs(5);

/// How often a quiet connection is tried, as nothing else would show that it is dead.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// How many rooms one command names.
const BATCH: usize = 1000;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Subscribes until the process ends.
pub(crate) async fn run(redis: redis::Client, gateway: Arc<Gateway>) {
    let mut pauses = pauses();
    loop {
        let started = Instant::now();
        let Err(error) = subscribe(&redis, &gateway).await;
        gateway.health.set_subscribed(false);
        // A connection that held begins the row anew.
        if started.elapsed() > LONGEST_PAUSE {
            pauses = self::pauses();
        }
        let pause = pauses.next().unwrap_or(LONGEST_PAUSE);
        tracing::warn!(error = format!("{error:#}"), pause_ms = pause.as_millis(), "redis.disconnected");
        sleep(pause).await;
    }
}

/// How long to wait before each new try; with a jitter, so that bridges do not come back in step.
fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .without_max_times()
        .with_jitter()
        .build()
}

async fn subscribe(redis: &redis::Client, gateway: &Gateway) -> anyhow::Result<std::convert::Infallible> {
    let connection =
        timeout(REPLY_LIMIT, redis.get_async_pubsub()).await.context("no connection in time")??;
    let (sink, messages) = connection.split();
    tracing::info!("redis.connected");
    tokio::select! {
        ended = follow_hub(sink, gateway) => ended,
        () = pass_on(messages, &gateway.hub) => bail!("the connection was closed"),
    }
}

async fn follow_hub(mut sink: PubSubSink, gateway: &Gateway) -> anyhow::Result<std::convert::Infallible> {
    let hub = &gateway.hub;
    add(&mut sink, gateway, &hub.start_over()).await?;
    gateway.health.set_subscribed(true);
    metrics::redis_connected();
    loop {
        let Ok((wanted, unwanted)) = timeout(PING_INTERVAL, hub.changes()).await else {
            timeout(REPLY_LIMIT, sink.ping::<redis::Value>()).await.context("PING")??;
            continue;
        };
        add(&mut sink, gateway, &wanted).await?;
        for rooms in unwanted.chunks(BATCH) {
            timeout(REPLY_LIMIT, sink.unsubscribe(channels(rooms))).await.context("UNSUBSCRIBE")??;
        }
    }
}

async fn add(sink: &mut PubSubSink, gateway: &Gateway, rooms: &[RoomId]) -> anyhow::Result<()> {
    for rooms in rooms.chunks(BATCH) {
        timeout(REPLY_LIMIT, sink.subscribe(channels(rooms))).await.context("SUBSCRIBE")??;
        gateway.rereads.ask(gateway.hub.confirm(rooms));
    }
    Ok(())
}

fn channels(rooms: &[RoomId]) -> Vec<String> {
    rooms.iter().map(fanout::channel).collect()
}

/// Passes events on until the connection ends. Changes that are held back then are dropped: every room is read once
/// more after that.
async fn pass_on(mut messages: impl Stream<Item = Msg> + Unpin, hub: &Hub) {
    let mut bursts = Bursts::default();
    loop {
        let due = bursts.next_due();
        tokio::select! {
            message = messages.next() => {
                let Some(message) = message else { return };
                let Some((room, envelope)) = read(&message) else { continue };
                for notice in bursts.take(&room, envelope, Instant::now()) {
                    hub.publish(&room, &notice);
                }
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                for (room, notice) in bursts.due(Instant::now()) {
                    hub.publish(&room, &notice);
                }
            }
        }
    }
}

fn read(message: &Msg) -> Option<(RoomId, Envelope)> {
    let room: RoomId = message.get_channel_name().strip_prefix(fanout::CHANNEL_PREFIX)?.parse().ok()?;
    let envelope = serde_json::from_slice(message.get_payload_bytes());
    envelope
        .inspect_err(|error| tracing::error!(%room, %error, "redis.unreadable_event"))
        .ok()
        .map(|it| (room, it))
}

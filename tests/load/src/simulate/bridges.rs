//! The bridges as Redis sees them: connections that subscribe to rooms, and read what is published.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use redis::aio::{PubSubSink, PubSubStream};
use rollcall_protocol::Keyspace;
use rollcall_rooms::shard::Layout;
use serde::Deserialize;
use tokio::task::JoinHandle;

use super::{
    crowd::BridgeNo,
    names,
    nodes::{Node, node_of},
    timetable::RoomNo,
};
use crate::latencies::Latencies;

/// The name of a published event; the rest is skipped.
#[derive(Deserialize)]
struct EventName<'a> {
    event: &'a str,
}

/// What all bridges have heard.
pub struct Traffic {
    messages: AtomicU64,
    bytes: AtomicU64,
    timing: Mutex<Timing>,
}

/// How long after the beginning of its second an event arrives, in real time.
#[derive(Debug, Clone)]
pub struct Timing {
    /// Of reminders.
    pub reminders: Latencies,
    /// Of ends of sessions.
    pub ends: Latencies,
    second_began: Instant,
}

impl Traffic {
    fn new() -> Result<Self> {
        let timing =
            Timing { reminders: Latencies::new()?, ends: Latencies::new()?, second_began: Instant::now() };
        Ok(Self { messages: AtomicU64::new(0), bytes: AtomicU64::new(0), timing: Mutex::new(timing) })
    }

    /// The number of messages, and of the bytes in them.
    pub fn sums(&self) -> (u64, u64) {
        (self.messages.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    /// How late reminders and ends have been.
    pub fn timing(&self) -> Timing {
        self.lock().clone()
    }

    /// From now on, what arrives counts from this moment.
    pub fn begin_second(&self) {
        self.lock().second_began = Instant::now();
    }

    fn record(&self, payload: &[u8]) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(payload.len() as u64, Ordering::Relaxed);
        let name = serde_json::from_slice::<EventName<'_>>(payload).map_or("", |name| name.event);
        if name == "room:reminder" || name == "room:ended" {
            let mut timing = self.lock();
            let late = timing.second_began.elapsed();
            let latencies = if name == "room:ended" { &mut timing.ends } else { &mut timing.reminders };
            latencies.record(late);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Timing> {
        self.timing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection of a bridge to one node.
struct Subscription {
    sink: PubSubSink,
    reader: JoinHandle<()>,
}

/// The connections of all bridges to all nodes.
pub struct Bridges {
    /// What they have heard.
    pub traffic: Arc<Traffic>,
    /// By bridge and node. A killed bridge has none.
    subscriptions: Vec<Vec<Subscription>>,
    nodes: usize,
    shards: u64,
    keyspace: Keyspace,
}

impl Bridges {
    /// Connects every bridge to every node.
    pub async fn connect(count: BridgeNo, nodes: &[Node], shards: u64) -> Result<Self> {
        let traffic = Arc::new(Traffic::new()?);
        let mut subscriptions = Vec::new();
        for _ in 0..count {
            let mut bridge = Vec::new();
            for node in nodes {
                let (sink, stream) = node.client().get_async_pubsub().await?.split();
                let reader = tokio::spawn(listen(Arc::clone(&traffic), stream));
                bridge.push(Subscription { sink, reader });
            }
            subscriptions.push(bridge);
        }
        Ok(Self { traffic, subscriptions, nodes: nodes.len(), shards, keyspace: Keyspace::default() })
    }

    /// Subscribes a bridge to a room, and waits until Redis confirms.
    pub async fn subscribe(&self, bridge: BridgeNo, room: RoomNo) -> Result<()> {
        let (mut sink, channel) = self.find(bridge, room)?;
        sink.subscribe(channel).await.context("a bridge cannot subscribe")
    }

    /// Ends the subscription of a bridge to a room.
    pub async fn unsubscribe(&self, bridge: BridgeNo, room: RoomNo) -> Result<()> {
        let (mut sink, channel) = self.find(bridge, room)?;
        sink.unsubscribe(channel).await.context("a bridge cannot unsubscribe")
    }

    fn find(&self, bridge: BridgeNo, room: RoomNo) -> Result<(PubSubSink, String)> {
        let room = names::room(room)?;
        let node = node_of(Layout::from(self.shards).shard_of(&room), self.nodes);
        let subscription = self.subscriptions[usize::from(bridge)].get(node).context("the bridge is dead")?;
        Ok((subscription.sink.clone(), self.keyspace.channel(&room)))
    }

    /// Closes all connections of a bridge.
    pub fn kill(&mut self, bridge: BridgeNo) {
        for subscription in self.subscriptions[usize::from(bridge)].drain(..) {
            subscription.reader.abort();
        }
    }

    /// Fails if Redis has closed a connection: what is published would not be counted.
    pub fn check(&self) -> Result<()> {
        let closed =
            self.subscriptions.iter().flatten().any(|subscription| subscription.reader.is_finished());
        ensure!(!closed, "Redis has closed the connection of a bridge, which read too slowly");
        Ok(())
    }
}

async fn listen(traffic: Arc<Traffic>, mut stream: PubSubStream) {
    while let Some(message) = stream.next().await {
        traffic.record(message.get_payload_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_and_reminders_and_ends_are_timed() {
        let traffic = Traffic::new().unwrap();
        let messages = [
            r#"{"data":{"event":"room:ended"},"event":"room:participantsChanged"}"#,
            r#"{"data":{},"event":"room:ended"}"#,
            r#"{"data":{},"event":"room:reminder"}"#,
        ];
        for message in messages {
            traffic.record(message.as_bytes());
        }
        assert_eq!(traffic.sums(), (3, messages.concat().len() as u64));
        let timing = traffic.timing();
        assert_eq!((timing.ends.count(), timing.reminders.count()), (1, 1));
    }
}

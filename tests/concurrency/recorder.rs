//! Records the events of all rooms, from before the first call until after the last.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    thread::{self, JoinHandle},
};

use redis::Client;
use rollcall_protocol::Keyspace;
use rollcall_tests::{
    listener::{Listener, Subscriptions},
    redis_server::connect,
};
use tokio::{runtime::Builder, sync::oneshot};

use crate::{
    event::Event,
    ids::{ROOMS, SHARD, now_ms},
};

const CHANNEL_PREFIX: &str = "rollcall:events:";

/// A channel that no room has.
const END_CHANNEL: &str = CHANNEL_PREFIX;

pub type Recording = [Vec<Event>; ROOMS.len()];

pub struct Recorder {
    thread: JoinHandle<Recording>,
    subscriptions: Subscriptions,
}

impl Recorder {
    pub async fn start(redis: Client) -> Self {
        let (is_ready, ready) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(record(redis, is_ready))
        });
        Self { thread, subscriptions: ready.await.expect("it listens") }
    }

    /// Records the events of the shard in a node of a cluster that has the shard or will have it, until the node loses it.
    pub async fn listen_to_shard(&self) {
        for room in ROOMS {
            let channel = format!("{}{}", shard_channel_prefix(), room.id);
            self.subscriptions.subscribe_ahead(&channel).await.expect("to listen");
        }
    }

    /// The events until the end that [`end_all`] publishes, or until the server died.
    pub fn finish(self) -> Recording {
        self.thread.join().expect("all events can be read")
    }
}

/// Ends the recordings of a server, and those of its replicas.
pub async fn end_all(redis: &Client) {
    let mut publish = redis::cmd("PUBLISH");
    publish.arg(END_CHANNEL).arg("");
    let () = publish.query_async(&mut connect(redis).await).await.expect("Redis is up");
}

/// Merges recordings of servers that replicate each other: each event is in at least one of them. Returns the number of
/// places in which two servers had different events, too.
pub fn merge(recordings: impl IntoIterator<Item = Recording>) -> (Recording, usize) {
    let (mut merged, mut doubled) = (Recording::default(), 0);
    let mut by_place: [BTreeMap<_, Event>; ROOMS.len()] = Default::default();
    for recording in recordings {
        for (events, by_place) in recording.into_iter().zip(&mut by_place) {
            for event in events {
                // A notice to one entry takes no sequence number, and follows the event with the same one.
                let place = (event.epoch, event.seq, event.only.clone());
                match by_place.entry(place) {
                    Entry::Vacant(vacant) => {
                        vacant.insert(event);
                    }
                    Entry::Occupied(mut known) => {
                        doubled += usize::from(known.get().kind != event.kind);
                        let received_at = &mut known.get_mut().received_at;
                        *received_at = event.received_at.min(*received_at);
                    }
                }
            }
        }
    }
    for (events, by_place) in merged.iter_mut().zip(by_place) {
        *events = by_place.into_values().collect();
    }
    (merged, doubled)
}

fn shard_channel_prefix() -> String {
    Keyspace::default().shard_channel_prefix(SHARD)
}

async fn record(redis: Client, is_ready: oneshot::Sender<Subscriptions>) -> Recording {
    let mut listener = Listener::connect(&redis).await.expect("a connection");
    let subscriptions = listener.subscriptions();
    subscriptions.subscribe_to_pattern(&format!("{CHANNEL_PREFIX}*")).await.expect("to listen");
    is_ready.send(subscriptions).ok().expect("somebody waits");
    let mut recording = Recording::default();
    let shard_prefix = shard_channel_prefix();
    while let Some(message) = listener.next().await {
        let received_at = now_ms();
        let channel = message.get_channel_name();
        if channel == END_CHANNEL {
            return recording;
        }
        if channel == Keyspace::default().due_channel() {
            continue;
        }
        let id = channel.strip_prefix(&shard_prefix).or_else(|| channel.strip_prefix(CHANNEL_PREFIX));
        let room = ROOMS.iter().position(|room| id == Some(room.id));
        let payload: String = message.get_payload().expect("text");
        recording[room.expect("one of the rooms")].push(Event::read(&payload, received_at));
    }
    recording
}

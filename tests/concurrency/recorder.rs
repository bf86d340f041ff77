//! Records the events of all rooms, from before the first call until after the last.

use std::thread::{self, JoinHandle};

use futures_util::StreamExt;
use redis::Client;
use rollcall_protocol::Keyspace;
use rollcall_tests::redis_server::connect;
use tokio::{runtime::Builder, sync::oneshot};

use crate::{
    event::Event,
    ids::{ROOMS, now_ms},
};

const CHANNEL_PREFIX: &str = "rollcall:events:";

/// A channel that no room has.
const END_CHANNEL: &str = CHANNEL_PREFIX;

pub type Recording = [Vec<Event>; ROOMS.len()];

pub struct Recorder {
    thread: JoinHandle<Recording>,
}

impl Recorder {
    pub async fn start(redis: Client) -> Self {
        let (is_ready, ready) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(record(redis, is_ready))
        });
        ready.await.expect("it listens");
        Self { thread }
    }

    pub async fn stop(self, redis: &Client) -> Recording {
        let mut redis = connect(redis).await;
        let () = redis::cmd("PUBLISH")
            .arg(END_CHANNEL)
            .arg("")
            .query_async(&mut redis)
            .await
            .expect("Redis is up");
        self.thread.join().expect("all events can be read")
    }
}

async fn record(redis: Client, is_ready: oneshot::Sender<()>) -> Recording {
    let mut pubsub = redis.get_async_pubsub().await.expect("a connection");
    pubsub.psubscribe(format!("{CHANNEL_PREFIX}*")).await.expect("to listen");
    is_ready.send(()).expect("somebody waits");
    let mut recording = Recording::default();
    let mut messages = pubsub.into_on_message();
    while let Some(message) = messages.next().await {
        let received_at = now_ms();
        let channel = message.get_channel_name();
        if channel == END_CHANNEL {
            return recording;
        }
        if channel == Keyspace::default().due_channel() {
            continue;
        }
        let room = ROOMS.iter().position(|room| channel.strip_prefix(CHANNEL_PREFIX) == Some(room.id));
        let payload: String = message.get_payload().expect("text");
        recording[room.expect("one of the rooms")].push(Event::read(&payload, received_at));
    }
    panic!("Redis closed the connection");
}

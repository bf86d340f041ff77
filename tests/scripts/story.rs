//! A room to tell stories about.

use futures_util::StreamExt;
use redis::aio::{MultiplexedConnection, PubSub};
use rollcall_protocol::{
    ErrorCode, NodeId, RoomId,
    client::{Joined, Profile},
    event::{Heartbeat, Join, Membership},
    fanout::{self, Envelope},
    session::SessionDefinition,
};
use rollcall_rooms::{Failure, Rooms, Settings, directory::Directory, rooms::Swept, shard};
use rollcall_tests::redis_server::{RedisPort, RedisServer};
use serde_json::Value;

pub const MINUTE: u64 = 60_000;
/// When each story begins; its session ends an hour later. In the future of Redis's own clock, which keys expire by.
pub const START: u64 = 4_000_000_000_000;
pub const END: u64 = START + 60 * MINUTE;
const ROOM: &str = "algebra";

/// An event as the sockets in the room get it.
#[derive(Debug)]
pub struct Event {
    pub name: String,
    pub seq: u64,
    pub epoch: u64,
    pub except: Option<String>,
    pub closes: bool,
    pub data: Value,
}

pub struct Story {
    pub server: RedisServer,
    pub redis: MultiplexedConnection,
    subscription: PubSub,
    pub settings: Settings,
    now: u64,
    node: NodeId,
    session: Option<SessionDefinition>,
}

impl Directory for &Story {
    async fn find(&self, _: &RoomId) -> Result<Option<SessionDefinition>, Failure> {
        Ok(self.session.clone())
    }
}

/// The entry `kim/2` is Kim's second one.
pub fn entry(entry: &str) -> Membership {
    let user = entry.split('/').next().unwrap();
    Membership {
        room_id: ROOM.parse().unwrap(),
        user_id: user.parse().unwrap(),
        entry_id: entry.parse().unwrap(),
    }
}

impl Story {
    /// An empty room whose session ends in an hour, led by Lea. Its bridges count as live all day.
    pub async fn begin() -> Self {
        let server = RedisServer::start().await;
        let mut subscription = server.client().get_async_pubsub().await.unwrap();
        subscription.subscribe(fanout::channel(&ROOM.parse().unwrap())).await.unwrap();
        Self {
            redis: server.connection().await,
            server,
            subscription,
            settings: Settings { lease_ms: 24 * 60 * MINUTE, ..Settings::default() },
            now: START,
            node: "node-1".parse().unwrap(),
            session: Some(SessionDefinition {
                end_at: END,
                leader_id: "lea".parse().unwrap(),
                members: None,
            }),
        }
    }

    /// Moves time, to so many milliseconds after the start.
    pub fn at(&mut self, ms: u64) -> &mut Self {
        self.now = START + ms;
        self
    }

    /// Changes the bridge through which users come from now on.
    pub fn through(&mut self, node: &str) -> &mut Self {
        self.node = node.parse().unwrap();
        self
    }

    /// The bridge is heard of, or says goodbye. Returns whether it had a lease.
    pub async fn heartbeat(&self, is_leaving: bool) -> bool {
        let heartbeat = Heartbeat { node_id: self.node.clone(), is_leaving };
        self.rooms().heartbeat(self.shard(), &heartbeat).await.unwrap().held
    }

    pub fn define(&mut self, session: Option<SessionDefinition>) {
        self.session = session;
    }

    fn rooms(&self) -> Rooms<RedisPort> {
        let mut settings = self.settings.clone();
        settings.now = Some(self.now);
        Rooms::new(RedisPort(self.redis.clone()), &settings).unwrap()
    }

    /// A user enters; `kim/2` is Kim's second entry.
    pub async fn join(&self, name: &str) -> Result<Joined, ErrorCode> {
        let Membership { room_id, user_id, entry_id } = entry(name);
        let profile = Profile { user_name: user_id.as_str().to_uppercase(), user_id, user_role: None };
        let join = Join { room_id, profile, entry_id, node_id: self.node.clone() };
        self.rooms().join(&self, &join).await.map_err(code)
    }

    pub async fn leave(&self, name: &str) {
        self.rooms().leave(&entry(name)).await.unwrap();
    }

    pub async fn disconnect(&self, name: &str) {
        self.rooms().disconnect(&entry(name)).await.unwrap();
    }

    pub async fn sweep(&self) -> Swept {
        self.rooms().sweep(self.shard()).await.unwrap()
    }

    pub fn shard(&self) -> u64 {
        shard::of(&ROOM.parse().unwrap(), self.settings.shards)
    }

    /// The events published since the last call.
    pub async fn events(&mut self) -> Vec<Event> {
        let channel = fanout::channel(&ROOM.parse().unwrap());
        let () =
            redis::cmd("PUBLISH").arg(channel).arg("no more").query_async(&mut self.redis).await.unwrap();
        let mut events = Vec::new();
        let mut messages = self.subscription.on_message();
        loop {
            let payload: String = messages.next().await.unwrap().get_payload().unwrap();
            if payload == "no more" {
                return events;
            }
            events.push(read(&payload));
        }
    }

    /// The names of the events published since the last call.
    pub async fn event_names(&mut self) -> Vec<String> {
        self.events().await.into_iter().map(|event| event.name).collect()
    }

    pub async fn keys(&mut self) -> Vec<String> {
        let mut keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut self.redis).await.unwrap();
        keys.sort();
        keys
    }
}

fn read(payload: &str) -> Event {
    let envelope: Envelope = serde_json::from_str(payload).unwrap();
    let data: Value = serde_json::from_str(envelope.data.get()).unwrap();
    assert_eq!(data["seq"], envelope.seq, "the payload tells its own place");
    assert_eq!(data["epoch"], envelope.epoch, "the payload tells its own session");
    Event {
        name: envelope.event,
        seq: envelope.seq,
        epoch: envelope.epoch,
        except: envelope.except.map(|entry| entry.to_string()),
        closes: envelope.closes,
        data,
    }
}

fn code(failure: Failure) -> ErrorCode {
    match failure {
        Failure::Refused(refusal) => refusal.code,
        Failure::Unavailable(reason) => panic!("{reason}"),
    }
}

/// The ids of the members in an ack, in order.
pub fn members(joined: &Joined) -> Vec<String> {
    ids(&serde_json::from_str(joined.members.as_ref().unwrap().get()).unwrap())
}

/// The user ids in a list of members.
pub fn ids(members: &Value) -> Vec<String> {
    members.as_array().unwrap().iter().map(|member| member["userId"].as_str().unwrap().to_owned()).collect()
}

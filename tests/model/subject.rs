//! The rules under test: the scripts in a real Redis, driven as the service drives them.

use std::cell::RefCell;

use futures_util::StreamExt;
use redis::aio::{MultiplexedConnection, PubSubStream};
use rollcall_protocol::{
    RoomId, UserId,
    definition::{SessionDefinition, StoredDefinition},
    event::Heartbeat,
    fanout,
};
use rollcall_rooms::{
    Error, Rooms, Settings,
    definitions::{DefinitionSource, DefinitionStore, Expected},
};
use rollcall_tests::redis_server::{RedisPort, RedisServer};
use serde_json::{Value, json};
use tokio::{
    runtime::{Builder, Runtime},
    sync::Mutex,
};

use crate::{
    ids::{GRACE, LEAD, LEASE, MEMORY, RETENTION, ROOMS, ROSTER_LIMIT, RoomNo, Time},
    room::{Join, Membership},
    service::Action,
    wire,
};

/// What came of a step.
pub struct Seen {
    pub answer: Value,
    /// What was published to each room, in order.
    pub events: [Vec<Value>; ROOMS.len()],
    pub picture: Vec<String>,
}

/// A Redis of its own and what is needed to talk to it.
pub struct Subject {
    runtime: Runtime,
    redis: MultiplexedConnection,
    published: Mutex<PubSubStream>,
    picture: redis::Script,
    stores: [Store; ROOMS.len()],
    _server: RedisServer,
}

/// Where a room's definition is kept, and how reading and writing it goes.
#[derive(Default)]
struct Store(RefCell<Kept>);

#[derive(Default)]
struct Kept {
    current: Option<StoredDefinition>,
    before: Option<StoredDefinition>,
    /// Whether the next to read comes just before the last change.
    reads_old: bool,
    /// Whether whoever changes it dies once it is stored.
    dies: bool,
}

impl Store {
    fn put(&self, session: StoredDefinition) {
        let mut kept = self.0.borrow_mut();
        kept.before = kept.current.replace(session);
    }
}

impl DefinitionSource for &Store {
    async fn find(&self, _: &RoomId, _: &UserId) -> Result<Option<StoredDefinition>, Error> {
        let mut kept = self.0.borrow_mut();
        let reads_old = std::mem::take(&mut kept.reads_old);
        Ok(if reads_old { kept.before.clone() } else { kept.current.clone() })
    }
}

impl DefinitionStore for &Store {
    async fn get(&self, _: &RoomId) -> Result<Option<StoredDefinition>, Error> {
        Ok(self.0.borrow().current.clone())
    }

    async fn put(&self, _: &RoomId, session: &StoredDefinition) -> Result<(), Error> {
        Store::put(self, session.clone());
        let dies = std::mem::take(&mut self.0.borrow_mut().dies);
        if dies { Err(Error::Unavailable("dead".to_owned())) } else { Ok(()) }
    }

    async fn delete(&self, _: &RoomId) -> Result<(), Error> {
        let mut kept = self.0.borrow_mut();
        kept.before = kept.current.take();
        Ok(())
    }
}

impl Subject {
    pub fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (server, redis, published) = runtime.block_on(async {
            let server = RedisServer::start().await;
            let mut published = server.client().get_async_pubsub().await.expect("a connection");
            published.psubscribe(format!("{}*", fanout::CHANNEL_PREFIX)).await.expect("to listen");
            let redis = server.connection().await;
            (server, redis, published.into_on_message())
        });
        Self {
            runtime,
            redis,
            published: Mutex::new(published),
            picture: redis::Script::new(include_str!("picture.lua")),
            stores: Default::default(),
            _server: server,
        }
    }

    /// Forgets all that happened.
    pub fn begin_anew(&mut self) {
        self.stores = Default::default();
        self.runtime.block_on(async {
            let () = redis::cmd("FLUSHALL").query_async(&mut self.redis.clone()).await.expect("Redis is up");
            self.look().await;
        });
    }

    pub fn act(&self, action: &Action, now: Time) -> Seen {
        self.runtime.block_on(async {
            let answer = self.call(action, now).await;
            let (events, picture) = self.look().await;
            Seen { answer, events, picture }
        })
    }

    fn rooms(&self, now: Time) -> Rooms<RedisPort> {
        let settings = Settings {
            grace_ms: GRACE,
            lease_ms: LEASE,
            reminder_lead_ms: LEAD,
            roster_limit: ROSTER_LIMIT as u64,
            closed_entry_ms: MEMORY,
            retention_ms: RETENTION,
            shards: 1,
            now: Some(now),
            ..Settings::default()
        };
        Rooms::new(RedisPort(self.redis.clone()), &settings).expect("settings that can be written")
    }

    async fn call(&self, action: &Action, now: Time) -> Value {
        let rooms = self.rooms(now);
        match action {
            Action::Join { join, reads_old } => {
                self.stores[join.room].0.borrow_mut().reads_old = *reads_old;
                self.join(&rooms, join).await
            }
            Action::JoinAgain(join) => self.join(&rooms, join).await,
            Action::GiveUp(Join { room, person, entry, .. }) => {
                let who = Membership { room: *room, user: person.user, entry: *entry };
                answer(rooms.disconnect(&wire::membership(&who)).await.map(|done| json!(done)))
            }
            Action::Leave(who) => answer(rooms.leave(&wire::membership(who)).await.map(|done| json!(done))),
            Action::Disconnect(who) => {
                answer(rooms.disconnect(&wire::membership(who)).await.map(|done| json!(done)))
            }
            Action::Heartbeat(node) => self.heartbeat(&rooms, node, false).await,
            Action::Goodbye(node) => self.heartbeat(&rooms, node, true).await,
            Action::Sweep => {
                let swept = rooms.sweep(0).await.expect("a sweep is never refused");
                wire::swept(swept.settled, swept.late_ms, swept.more, swept.due_in_ms)
            }
            Action::Define { room, definition, dies } => {
                self.define(&rooms, *room, wire::definition(definition), *dies).await
            }
            Action::DefineElsewhere { room, definition } => {
                self.stores[*room]
                    .put(StoredDefinition { revision: 0, definition: wire::definition(definition) });
                json!({})
            }
            Action::Undefine(room) => {
                let undefined =
                    rooms.undefine(&&self.stores[*room], &wire::id(ROOMS[*room]), Expected::Anything).await;
                answer(undefined.map(|()| json!({})))
            }
            Action::Read { room, seats } => {
                answer(rooms.read(&wire::read(*room, seats)).await.map(|reading| json!(reading)))
            }
            Action::Attendance(room) => {
                let attendance = rooms.attendance(&wire::id(ROOMS[*room])).await;
                answer(attendance.map(|attendance| wire::attendance(&attendance)))
            }
        }
    }

    async fn join(&self, rooms: &Rooms<RedisPort>, join: &Join) -> Value {
        let joined = rooms.join(&&self.stores[join.room], &wire::join(join)).await;
        answer(joined.map(|joined| json!(joined)))
    }

    async fn heartbeat(&self, rooms: &Rooms<RedisPort>, node: &str, is_leaving: bool) -> Value {
        let heartbeat = Heartbeat { node_id: wire::id(node), is_leaving };
        answer(rooms.heartbeat(0, &heartbeat).await.map(|lease| json!(lease)))
    }

    async fn define(
        &self,
        rooms: &Rooms<RedisPort>,
        room: RoomNo,
        definition: SessionDefinition,
        dies: bool,
    ) -> Value {
        let store = &self.stores[room];
        store.0.borrow_mut().dies = dies;
        let defined = rooms.define(&store, &wire::id(ROOMS[room]), definition).await;
        if dies {
            self.wait_until_others_may_change(ROOMS[room]).await;
        } else if let Err(failure) = defined {
            return failed(failure);
        }
        let kept = store.0.borrow();
        json!({ "revision": kept.current.as_ref().map(|session| session.revision) })
    }

    /// In truth they may after some seconds of Redis's own clock.
    async fn wait_until_others_may_change(&self, room: &str) {
        let key = format!("rollcall:{{0}}:revising:{room}");
        let () = redis::cmd("DEL").arg(key).query_async(&mut self.redis.clone()).await.expect("Redis is up");
    }

    /// What was published since the last look, and what Redis holds.
    async fn look(&self) -> ([Vec<Value>; ROOMS.len()], Vec<String>) {
        let picture = self.picture.invoke_async(&mut self.redis.clone()).await.expect("Redis is up");
        let mut events: [Vec<Value>; ROOMS.len()] = Default::default();
        let mut published = self.published.lock().await;
        loop {
            let message = published.next().await.expect("Redis is up");
            let channel = message.get_channel_name().strip_prefix(fanout::CHANNEL_PREFIX).unwrap_or_default();
            let Some(room) = ROOMS.iter().position(|room| *room == channel) else { break };
            events[room].push(serde_json::from_slice(message.get_payload_bytes()).expect("JSON"));
        }
        (events, picture)
    }
}

fn answer(result: Result<Value, Error>) -> Value {
    result.unwrap_or_else(failed)
}

fn failed(failure: Error) -> Value {
    match failure {
        Error::Refused(refusal) => wire::refused(refusal.code),
        Error::Unavailable(reason) => json!({ "unavailable": reason }),
    }
}

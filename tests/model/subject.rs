//! The system under test: the scripts in a real Redis, called as the service calls them.

use std::{
    cell::RefCell,
    sync::atomic::{AtomicU32, Ordering},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use redis::aio::MultiplexedConnection;
use rollcall_protocol::{
    Keyspace, Refusal, RoomId, UserId,
    api::Notice,
    chat, code,
    definition::StoredDefinition,
    event::{Heartbeat, NextDue},
    status::Status,
    timer,
};
use rollcall_rooms::{
    Error, Rooms, Settings,
    definitions::{DefinitionSource, DefinitionStore, Precondition},
};
use rollcall_tests::{
    cluster::Cluster,
    listener::Listener,
    redis_server::{RedisPort, RedisServer},
    substitutes,
};
use serde_json::{Value, json, value::RawValue};
use tokio::{
    runtime::{Builder, Runtime},
    sync::Mutex,
};

use crate::{
    chat::{ChatAction, ChatCommand},
    code::{CodeAction, CodeCommand},
    document,
    ids::{
        ATTENDANCE_LIMIT, CHAT_BURST, CHAT_INTERVAL, CHAT_LIMIT, CLOSED_ENTRY_TTL, CODE_BURST, CODE_INTERVAL,
        CODE_LIMIT, CODE_READ_BURST, CODE_READ_INTERVAL, DOCUMENT_BURST, DOCUMENT_INTERVAL, ENTRY_BURST,
        ENTRY_INTERVAL, GRACE, LEASE, NOTICE, REMINDER_LEAD, RETENTION, ROOMS, ROSTER_LIMIT, RoomNo, SLICE,
        STATUS_BURST, STATUS_INTERVAL, TIMER_BURST, TIMER_INTERVAL, Time,
    },
    join::Join,
    room::Membership,
    service::{Action, Crash, Definition},
    timer::TimerCommand,
    wire,
};

const CHANNEL_PREFIX: &str = "rollcall:events:";

/// What the channels of rooms begin with in a cluster.
const SHARD_CHANNEL_PREFIX: &str = "rollcall:events:{0}:";

/// The observable effect of a step.
pub struct Observed {
    pub reply: Value,
    /// How often joins read the definition.
    pub reads: usize,
    pub published: Published,
    pub redis_snapshot: Vec<String>,
}

/// What bridges hear.
#[derive(Default)]
pub struct Published {
    /// Events of each room, in order.
    pub events: [Vec<Value>; ROOMS.len()],
    pub deadlines: Vec<NextDue>,
}

/// A Redis of its own, with its connections.
pub struct Subject {
    runtime: Runtime,
    redis: MultiplexedConnection,
    published: Mutex<Listener>,
    redis_snapshot: redis::Script,
    stores: [Store; ROOMS.len()],
    is_in_cluster: bool,
    _server: Server,
}

/// A Redis, or the only node of a cluster.
enum Server {
    Alone(RedisServer),
    Node(Cluster),
}

impl Server {
    fn get(&self) -> &RedisServer {
        match self {
            Self::Alone(server) => server,
            Self::Node(cluster) => cluster.nodes[0].server(),
        }
    }
}

/// The store of a room's definition, with failures on demand.
#[derive(Default)]
struct Store(RefCell<StoreState>);

#[derive(Default)]
struct StoreState {
    current: Option<StoredDefinition>,
    previous: Option<StoredDefinition>,
    /// Whether the next read returns the definition before the last change.
    reads_stale: bool,
    /// How often joins read the definition in this step.
    reads: usize,
    /// Where the caller of the next change crashes.
    crash: Option<Crash>,
    /// What the write of a caller that has crashed would store.
    lost: Option<Option<StoredDefinition>>,
}

impl StoreState {
    fn put(&mut self, session: Option<StoredDefinition>) {
        self.previous = std::mem::replace(&mut self.current, session);
    }

    fn find(&mut self) -> Option<StoredDefinition> {
        self.reads += 1;
        let reads_stale = std::mem::take(&mut self.reads_stale);
        let previous = self
            .previous
            .as_ref()
            .filter(|session| reads_stale && (session.revision > 0) == has_revisions(self.current.as_ref()));
        previous.or(self.current.as_ref()).cloned()
    }

    fn write(&mut self, session: Option<StoredDefinition>) -> Result<(), Error> {
        self.lost = None;
        match self.crash {
            Some(Crash::Announced) => self.lost = Some(session),
            _ => self.put(session),
        }
        if self.crash.is_some() { Err(crashed()) } else { Ok(()) }
    }
}

fn has_revisions(current: Option<&StoredDefinition>) -> bool {
    current.is_none_or(|session| session.revision > 0)
}

fn crashed() -> Error {
    Error::Unavailable("crashed".to_owned())
}

/// The store as a source of definitions with revisions.
struct WithRevisions<'a>(&'a Store);

impl DefinitionSource for WithRevisions<'_> {
    const HAS_REVISIONS: bool = true;

    async fn find(&self, _: &RoomId, _: &UserId) -> Result<Option<StoredDefinition>, Error> {
        Ok(self.0.0.borrow_mut().find())
    }
}

/// The store as a source of definitions without revisions.
struct WithoutRevisions<'a>(&'a Store);

impl DefinitionSource for WithoutRevisions<'_> {
    const HAS_REVISIONS: bool = false;

    async fn find(&self, _: &RoomId, _: &UserId) -> Result<Option<StoredDefinition>, Error> {
        Ok(self.0.0.borrow_mut().find())
    }
}

impl DefinitionStore for &Store {
    async fn get(&self, _: &RoomId) -> Result<Option<StoredDefinition>, Error> {
        let state = self.0.borrow();
        if state.crash == Some(Crash::Locked) { Err(crashed()) } else { Ok(state.current.clone()) }
    }

    async fn put(&self, _: &RoomId, session: &StoredDefinition) -> Result<(), Error> {
        self.0.borrow_mut().write(Some(session.clone()))
    }

    async fn delete(&self, _: &RoomId) -> Result<(), Error> {
        self.0.borrow_mut().write(None)
    }
}

impl Subject {
    /// Every second one runs in a node of a cluster, which refuses a script that leaves the slot of its first key.
    pub fn start() -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let is_in_cluster = STARTED.fetch_add(1, Ordering::Relaxed) % 2 == 1 && !substitutes::are_in_use();
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (server, redis, published) = runtime.block_on(async {
            let server = if is_in_cluster {
                Server::Node(Cluster::start(1).await)
            } else {
                Server::Alone(RedisServer::start().await)
            };
            let published = Listener::connect(&server.get().client()).await.expect("a connection");
            let subscriptions = published.subscriptions();
            subscriptions.subscribe_to_pattern(&format!("{CHANNEL_PREFIX}*")).await.expect("to listen");
            if is_in_cluster {
                for room in ROOMS {
                    let channel = format!("{SHARD_CHANNEL_PREFIX}{room}");
                    subscriptions.subscribe_to_shard(&channel).await.expect("to listen");
                }
            }
            let redis = server.get().connection().await;
            (server, redis, published)
        });
        Self {
            runtime,
            redis,
            published: Mutex::new(published),
            redis_snapshot: redis::Script::new(include_str!("redis_snapshot.lua")),
            stores: Default::default(),
            is_in_cluster,
            _server: server,
        }
    }

    /// Deletes everything.
    pub fn reset(&mut self) {
        self.stores = Default::default();
        self.runtime.block_on(async {
            let () = redis::cmd("FLUSHALL").query_async(&mut self.redis.clone()).await.expect("Redis is up");
            self.observe().await;
        });
    }

    pub fn act(&self, action: &Action, now: Time) -> Observed {
        self.runtime.block_on(async {
            self.stores.iter().for_each(|store| store.0.borrow_mut().reads = 0);
            let reply = self.call(action, now).await;
            let (published, redis_snapshot) = self.observe().await;
            let reads = self.stores.iter().map(|store| store.0.borrow().reads).sum();
            Observed { reply, reads, published, redis_snapshot }
        })
    }

    fn rooms(&self, now: Time) -> Rooms<RedisPort> {
        let settings = Settings {
            grace_ms: GRACE,
            lease_ms: LEASE,
            reminder_lead_ms: REMINDER_LEAD,
            roster_limit: ROSTER_LIMIT as u64,
            closed_entry_ms: CLOSED_ENTRY_TTL,
            retention_ms: RETENTION,
            attendance_limit: ATTENDANCE_LIMIT as u64,
            entry_burst: ENTRY_BURST,
            entry_interval_ms: ENTRY_INTERVAL,
            timer_burst: TIMER_BURST,
            timer_interval_ms: TIMER_INTERVAL,
            status_burst: STATUS_BURST,
            status_interval_ms: STATUS_INTERVAL,
            chat_burst: CHAT_BURST,
            chat_interval_ms: CHAT_INTERVAL,
            chat_limit: CHAT_LIMIT as u64,
            code_burst: CODE_BURST,
            code_interval_ms: CODE_INTERVAL,
            code_read_burst: CODE_READ_BURST,
            code_read_interval_ms: CODE_READ_INTERVAL,
            code_limit: CODE_LIMIT as u64,
            document_burst: DOCUMENT_BURST,
            document_interval_ms: DOCUMENT_INTERVAL,
            slice_members: SLICE as u64,
            shards: 1.into(),
            now: Some(now),
            is_cluster: self.is_in_cluster,
            ..Settings::default()
        };
        Rooms::new(RedisPort(self.redis.clone()), &settings).expect("settings that can be written")
    }

    async fn call(&self, action: &Action, now: Time) -> Value {
        let rooms = self.rooms(now);
        match action {
            Action::Join { join, reads_stale } => {
                self.stores[join.room].0.borrow_mut().reads_stale = *reads_stale;
                let reply = self.join(&rooms, join).await;
                self.stores[join.room].0.borrow_mut().reads_stale = false;
                reply
            }
            Action::RepeatJoin(join) => self.join(&rooms, join).await,
            Action::AbandonJoin(Join { room, person, entry, .. }) => {
                let who = Membership { room: *room, user: person.user, entry: *entry };
                reply(rooms.disconnect(&wire::membership(&who)).await.map(|done| json!(done)))
            }
            Action::Leave(who) => reply(rooms.leave(&wire::membership(who)).await.map(|done| json!(done))),
            Action::Disconnect(who) => {
                reply(rooms.disconnect(&wire::membership(who)).await.map(|done| json!(done)))
            }
            Action::Heartbeat(node) => self.heartbeat(&rooms, node, false).await,
            Action::Stop(node) => self.heartbeat(&rooms, node, true).await,
            Action::Sweep => self.sweep(&rooms).await,
            Action::Define { room, definition, crash } => {
                self.change(&rooms, *room, Some(definition), *crash).await
            }
            Action::DefineExternally { room, definition } => {
                let definition = wire::definition(definition);
                self.stores[*room].0.borrow_mut().put(Some(StoredDefinition { revision: 0, definition }));
                json!({})
            }
            Action::Undefine { room, crash } => self.change(&rooms, *room, None, *crash).await,
            Action::Arrive(room) => {
                let mut state = self.stores[*room].0.borrow_mut();
                if let Some(lost) = state.lost.take() {
                    state.put(lost);
                }
                json!({})
            }
            Action::Read { room, entries } => {
                reply(rooms.read(&wire::read(*room, entries)).await.map(|snapshot| json!(snapshot)))
            }
            Action::Attendance(room) => {
                let attendance = rooms.attendance(&wire::id(ROOMS[*room]), Status::ALL).await;
                reply(attendance.map(|attendance| wire::attendance(&attendance)))
            }
            Action::Kick { room, user } => {
                let kicked = rooms.kick(&wire::id(ROOMS[*room]), &wire::id(user)).await;
                reply(kicked.map(|done| json!(done)))
            }
            Action::Notify(room) => {
                let notice = Notice { text: NOTICE.to_owned() };
                reply(rooms.notify(&wire::id(ROOMS[*room]), &notice).await.map(|done| json!(done)))
            }
            Action::Timer(command) => reply(self.command_timer(&rooms, command).await.map(|ack| json!(ack))),
            Action::Status(command) => {
                let ack = rooms.update_status(&wire::status_command(command)).await;
                reply(ack.map(|ack| json!(ack)))
            }
            Action::Chat(command) => self.command_chat(&rooms, command).await,
            Action::Code(command) => self.command_code(&rooms, command).await,
            Action::List { after, limit } => {
                let after = after.map(|room| wire::cursor(ROOMS[room]));
                reply(rooms.list(after.as_deref(), *limit).await.map(|page| json!(page)))
            }
        }
    }

    async fn command_timer(
        &self,
        rooms: &Rooms<RedisPort>,
        command: &TimerCommand,
    ) -> Result<Box<RawValue>, Error> {
        let TimerCommand { room, by, id, action } = *command;
        let command_id = wire::command_id(id);
        match by {
            Some((user, entry)) => {
                let membership = wire::membership(&Membership { room, user, entry });
                rooms.command_timer(&timer::TimerCommand { membership, command_id, action }).await
            }
            None => rooms.operate_timer(&wire::id(ROOMS[room]), &command_id, &action).await,
        }
    }

    async fn command_chat(&self, rooms: &Rooms<RedisPort>, command: &ChatCommand) -> Value {
        let ChatCommand { room, by, id, action } = *command;
        let (room_id, command_id) = (wire::id(ROOMS[room]), wire::command_id(id));
        let epoch = self.epoch_of(room).await;
        match (by, action) {
            (Some((user, entry)), action) => {
                let membership = wire::membership(&Membership { room, user, entry });
                let action = wire::chat_action(action, epoch);
                let command = chat::ChatCommand { membership, command_id, action };
                reply(rooms.command_chat(&command).await.map(|ack| json!(ack)))
            }
            (None, ChatAction::Read(page)) => {
                let page = rooms.history(&room_id, &wire::history_request(page, epoch)).await;
                reply(page.map(|page| json!(page)))
            }
            (None, action) => {
                let action = wire::chat_action(action, epoch);
                reply(rooms.operate_chat(&room_id, &command_id, &action).await.map(|ack| json!(ack)))
            }
        }
    }

    async fn command_code(&self, rooms: &Rooms<RedisPort>, command: &CodeCommand) -> Value {
        let CodeCommand { room, by, id, action } = *command;
        let (room_id, command_id) = (wire::id(ROOMS[room]), wire::command_id(id));
        let epoch = self.epoch_of(room).await;
        match (by, action) {
            (Some((user, entry)), action) => {
                let membership = wire::membership(&Membership { room, user, entry });
                let action = wire::code_action(action, epoch);
                let command = code::CodeCommand { membership, command_id, action };
                reply(rooms.command_code(&command).await.map(|ack| read_document(json!(ack))))
            }
            (None, CodeAction::Get(position)) => {
                reply(rooms.snippet(&room_id, epoch + position).await.map(|content| json!(content)))
            }
            (None, CodeAction::Close(position)) => {
                let closed = rooms.close_snippet(&room_id, &command_id, epoch + position).await;
                reply(closed.map(|()| json!({})))
            }
            (None, _) => reply(rooms.snippets(&room_id).await.map(|snippets| json!(snippets))),
        }
    }

    /// The epoch of a live room, or any number.
    async fn epoch_of(&self, room: RoomNo) -> u64 {
        let key = format!("rollcall:{{0}}:room:{}", ROOMS[room]);
        let mut redis = self.redis.clone();
        let epoch = ::redis::cmd("HGET").arg(key).arg("epoch").query_async(&mut redis).await;
        let epoch: Option<u64> = epoch.expect("Redis answers");
        epoch.unwrap_or(1)
    }

    async fn join(&self, rooms: &Rooms<RedisPort>, join: &Join) -> Value {
        let (store, call) = (&self.stores[join.room], wire::join(join));
        let joined = if has_revisions(store.0.borrow().current.as_ref()) {
            rooms.join(&WithRevisions(store), &call).await
        } else {
            rooms.join(&WithoutRevisions(store), &call).await
        };
        reply(joined.map(|joined| json!(joined)))
    }

    /// Sweeps until nothing is due.
    async fn sweep(&self, rooms: &Rooms<RedisPort>) -> Value {
        let first = rooms.sweep(0).await.expect("a sweep is never refused");
        let (mut settled, mut last) = (first.settled, first.clone());
        while last.more {
            last = rooms.sweep(0).await.expect("a sweep is never refused");
            settled += last.settled;
        }
        wire::swept(settled, first.late_ms, last.more, last.next_due, last.due_in_ms)
    }

    async fn heartbeat(&self, rooms: &Rooms<RedisPort>, node: &str, is_leaving: bool) -> Value {
        let heartbeat = Heartbeat { node_id: wire::id(node), is_leaving };
        reply(rooms.heartbeat(0, &heartbeat).await.map(|held| json!(held.lease)))
    }

    async fn change(
        &self,
        rooms: &Rooms<RedisPort>,
        room: RoomNo,
        definition: Option<&Definition>,
        crash: Option<Crash>,
    ) -> Value {
        let (store, id) = (&self.stores[room], wire::id(ROOMS[room]));
        store.0.borrow_mut().crash = crash;
        let changed = match definition {
            Some(definition) => rooms.define(&store, &id, wire::definition(definition)).await.map(drop),
            None => rooms.undefine(&store, &id, &Precondition::default()).await,
        };
        store.0.borrow_mut().crash = None;
        if crash.is_none() {
            return reply(changed.map(|()| json!({})));
        }
        changed.expect_err("the caller has crashed");
        self.expire_lock(ROOMS[room]).await;
        json!({})
    }

    /// Deletes the lock of a change, which Redis would expire after some seconds.
    async fn expire_lock(&self, room: &str) {
        let key = format!("rollcall:{{0}}:revising:{room}");
        let () = redis::cmd("DEL").arg(key).query_async(&mut self.redis.clone()).await.expect("Redis is up");
    }

    /// Returns what was published since the last call, and the content of Redis.
    async fn observe(&self) -> (Published, Vec<String>) {
        let redis_snapshot =
            self.redis_snapshot.invoke_async(&mut self.redis.clone()).await.expect("Redis is up");
        let mut published = Published::default();
        let mut messages = self.published.lock().await;
        let prefix = if self.is_in_cluster { SHARD_CHANNEL_PREFIX } else { CHANNEL_PREFIX };
        loop {
            let message = messages.next().await.expect("Redis is up");
            if message.get_channel_name() == Keyspace::default().due_channel() {
                published.deadlines.push(serde_json::from_slice(message.get_payload_bytes()).expect("JSON"));
                continue;
            }
            let channel = message.get_channel_name().strip_prefix(prefix).unwrap_or_default();
            let Some(room) = ROOMS.iter().position(|room| *room == channel) else { break };
            published.events[room].push(serde_json::from_slice(message.get_payload_bytes()).expect("JSON"));
        }
        (published, redis_snapshot)
    }
}

fn reply(result: Result<Value, Error>) -> Value {
    result.unwrap_or_else(failure_reply)
}

/// Puts the text of a document in the place of its updates, which are different each time.
fn read_document(mut ack: Value) -> Value {
    if let Some(update) = ack.get("document").and_then(Value::as_str) {
        ack["document"] = json!(document::read_text(&BASE64_STANDARD.decode(update).expect("Base64")));
    }
    ack
}

fn failure_reply(failure: Error) -> Value {
    match failure {
        Error::Refused(Refusal { code, current: Some(current), .. }) => {
            let current: Value = serde_json::from_str(current.get()).expect("JSON");
            json!({ "code": code, "current": current })
        }
        Error::Refused(refusal) => wire::refused(refusal.code),
        Error::Unavailable(reason) => json!({ "unavailable": reason }),
    }
}

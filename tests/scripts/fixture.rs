//! A room in a Redis of its own, and calls to it at times that a test chooses.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use futures_util::StreamExt;
use redis::aio::{MultiplexedConnection, PubSub};
use rollcall_protocol::{
    ErrorCode, Keyspace, NodeId, ResumeHash, RoomId, UserId,
    attendance::Attendance,
    client::{Joined, Profile},
    definition::{Duplicates, SessionDefinition, StoredDefinition},
    event::{EntryRef, Heartbeat, Join, Membership, NextDue, Read, RoomSnapshot},
    fanout::Envelope,
};
use rollcall_rooms::{
    Error, Rooms, Settings,
    definitions::{DefinitionSource, DefinitionStore, Precondition},
    redis::{Redis, RedisError},
    rooms::{DueShards, ShardSweep},
    shard,
};
use rollcall_tests::redis_server::{RedisPort, RedisServer};
use serde_json::Value;

pub const MINUTE: u64 = 60_000;
/// When each test begins; its session ends an hour later. Ahead of Redis's own clock, by which keys expire.
pub const START: u64 = 4_000_000_000_000;
pub const END: u64 = START + 60 * MINUTE;
const ROOM: &str = "algebra";
/// Published after the last event that a test waits for.
const END_OF_EVENTS: &str = "end of events";

/// An event as the sockets in the room get it.
#[derive(Debug)]
pub struct Event {
    pub name: String,
    pub seq: u64,
    pub epoch: u64,
    pub except: Option<String>,
    pub only: Option<String>,
    pub closes: bool,
    pub data: Value,
}

pub struct Fixture {
    pub server: Rc<RedisServer>,
    pub redis: MultiplexedConnection,
    subscription: PubSub,
    pub settings: Settings,
    now: u64,
    /// The room that the test is about.
    pub home: RoomId,
    /// The room that users enter.
    room: RoomId,
    node: NodeId,
    session: RefCell<Option<StoredDefinition>>,
    /// How often joins have read the definition.
    reads: Cell<u64>,
    is_store_away: Cell<bool>,
}

impl DefinitionSource for &Fixture {
    const HAS_REVISIONS: bool = true;

    async fn find(&self, room: &RoomId, _: &UserId) -> Result<Option<StoredDefinition>, Error> {
        self.reads.set(self.reads.get() + 1);
        self.get(room).await
    }
}

impl DefinitionStore for &Fixture {
    async fn get(&self, _: &RoomId) -> Result<Option<StoredDefinition>, Error> {
        if self.is_store_away.get() {
            return Err(Error::Unavailable("the store is away".to_owned()));
        }
        Ok(self.session.borrow().clone())
    }

    async fn put(&self, _: &RoomId, session: &StoredDefinition) -> Result<(), Error> {
        self.session.replace(Some(session.clone()));
        Ok(())
    }

    async fn delete(&self, _: &RoomId) -> Result<(), Error> {
        self.session.take();
        Ok(())
    }
}

/// The port of a caller that dies after so many scripts.
pub struct DyingPort {
    port: RedisPort,
    scripts_left: Cell<u32>,
}

impl Redis for DyingPort {
    async fn command(&self, name: &str, arguments: &[&[u8]]) -> Result<Vec<Vec<u8>>, RedisError> {
        if self.scripts_left.get() == 0 {
            return Err(RedisError::Failed("the caller died".to_owned()));
        }
        let reply = self.port.command(name, arguments).await;
        if reply.is_ok() {
            self.scripts_left.set(self.scripts_left.get() - 1);
        }
        reply
    }
}

/// A heartbeat of a bridge.
pub fn heartbeat(node: &str) -> Heartbeat {
    Heartbeat { node_id: node.parse().unwrap(), is_leaving: false }
}

/// The hash of the token that an entry can be resumed with.
fn resume_hash(entry: &str) -> ResumeHash {
    format!("token of {entry}").parse().unwrap()
}

/// A session that ends an hour after the start, led by Lea, open to everybody.
pub fn definition() -> SessionDefinition {
    SessionDefinition {
        end_at: END,
        leader_id: Some("lea".parse().unwrap()),
        members: None,
        duplicates: Duplicates::Refuse,
        capacity: None,
    }
}

/// The announced deadlines.
pub struct Deadlines(PubSub);

impl Deadlines {
    /// The deadlines that were announced since the last call.
    pub async fn next(&mut self, room: &Fixture) -> Vec<NextDue> {
        let mut publish = redis::cmd("PUBLISH");
        publish.arg(room.settings.keyspace.due_channel()).arg(END_OF_EVENTS);
        let () = publish.query_async(&mut room.redis.clone()).await.unwrap();
        let mut announced = Vec::new();
        let mut messages = self.0.on_message();
        loop {
            let payload: String = messages.next().await.unwrap().get_payload().unwrap();
            if payload == END_OF_EVENTS {
                return announced;
            }
            announced.push(serde_json::from_str(&payload).unwrap());
        }
    }
}

impl Fixture {
    /// An empty room whose session ends in an hour, led by Lea. Leases last all day.
    pub async fn start() -> Self {
        Self::start_on(RedisServer::start().await).await
    }

    /// The same in another room.
    pub async fn start_in(home: RoomId) -> Self {
        Self::start_with(Rc::new(RedisServer::start().await), home, Keyspace::default()).await
    }

    /// The same, in this Redis.
    pub async fn start_on(server: RedisServer) -> Self {
        Self::start_with(Rc::new(server), ROOM.parse().unwrap(), Keyspace::default()).await
    }

    /// The same, in another part of the same Redis.
    pub async fn start_beside(neighbor: &Self, keyspace: Keyspace) -> Self {
        Self::start_with(Rc::clone(&neighbor.server), ROOM.parse().unwrap(), keyspace).await
    }

    async fn start_with(server: Rc<RedisServer>, home: RoomId, keyspace: Keyspace) -> Self {
        let mut subscription = server.client().get_async_pubsub().await.unwrap();
        subscription.subscribe(keyspace.channel(&home)).await.unwrap();
        Self {
            redis: server.connection().await,
            server,
            subscription,
            settings: Settings { lease_ms: 24 * 60 * MINUTE, keyspace, ..Settings::default() },
            now: START,
            room: home.clone(),
            home,
            node: "node-1".parse().unwrap(),
            session: RefCell::new(Some(StoredDefinition { revision: 1, definition: definition() })),
            reads: Cell::new(0),
            is_store_away: Cell::new(false),
        }
    }

    /// Sets the time to so many milliseconds after the start.
    pub fn at(&mut self, ms: u64) -> &mut Self {
        self.now = START + ms;
        self
    }

    /// Moves the time to so many milliseconds after the start, while another bridge keeps the shard running.
    pub async fn run_until(&mut self, ms: u64) -> &mut Self {
        let node = std::mem::replace(&mut self.node, "another-node".parse().unwrap());
        while self.now + self.settings.lease_ms / 3 < START + ms {
            self.now += self.settings.lease_ms / 3;
            self.heartbeat(false).await;
        }
        self.node = node;
        self.at(ms)
    }

    /// Changes the room that users enter from now on.
    pub fn in_room(&mut self, room: &str) -> &mut Self {
        self.room = room.parse().unwrap();
        self
    }

    /// Changes the bridge through which users join from now on.
    pub fn through(&mut self, node: &str) -> &mut Self {
        self.node = node.parse().unwrap();
        self
    }

    /// Sends a heartbeat of the bridge, or says that the bridge stops. Returns the start of the bridge's lease.
    pub async fn heartbeat(&self, is_leaving: bool) -> u64 {
        let heartbeat = Heartbeat { node_id: self.node.clone(), is_leaving };
        self.rooms().heartbeat(self.shard(), &heartbeat).await.unwrap().since
    }

    /// Changes the end of the sessions that joins start, and nothing else.
    pub fn store_end(&self, end_at: u64) {
        let definition = SessionDefinition { end_at, ..definition() };
        self.store(Some(StoredDefinition { revision: 1, definition }));
    }

    /// Changes the definition that joins read, and nothing else.
    pub fn store(&self, session: Option<StoredDefinition>) {
        self.session.replace(session);
    }

    /// Lets reads of the definition fail, or succeed again.
    pub fn set_store_away(&self, is_away: bool) {
        self.is_store_away.set(is_away);
    }

    /// Does something, and returns how many scripts Redis ran and how often joins read the definition.
    pub async fn count(&self, act: impl AsyncFnOnce()) -> (u64, u64) {
        let (scripts, reads) = (self.count_scripts().await, self.reads.get());
        act().await;
        (self.count_scripts().await - scripts, self.reads.get() - reads)
    }

    async fn count_scripts(&self) -> u64 {
        self.count_calls(|command| command.starts_with("eval")).await
    }

    /// The number of commands that scripts, or callers without a script, have run.
    pub async fn count_commands(&self) -> u64 {
        self.count_calls(|command| !["eval", "evalsha", "info"].contains(&command)).await
    }

    /// The number of calls that Redis has run, without those that failed: a call of a script whose hash is unknown fails,
    /// and is followed by one with the text.
    async fn count_calls(&self, is_counted: impl Fn(&str) -> bool) -> u64 {
        let mut info = redis::cmd("INFO");
        let info: String = info.arg("commandstats").query_async(&mut self.redis.clone()).await.unwrap();
        let count = |line: &str| {
            let (command, fields) = line.strip_prefix("cmdstat_")?.split_once(':')?;
            let find = |name: &str| -> u64 {
                let value = |field: &str| field.strip_prefix(name)?.strip_prefix('=')?.parse().ok();
                fields.split(',').find_map(value).unwrap()
            };
            is_counted(command).then(|| find("calls") - find("failed_calls"))
        };
        info.lines().filter_map(count).sum()
    }

    /// Changes the definition as the API does: a new revision, then the store, then the room.
    pub async fn define(&self, definition: SessionDefinition) {
        self.try_define(definition).await.unwrap();
    }

    pub async fn try_define(&self, definition: SessionDefinition) -> Result<u64, ErrorCode> {
        let (session, _) =
            self.rooms().define(&self, &self.home, definition).await.map_err(expect_refusal)?;
        Ok(session.revision)
    }

    /// Moves the end, if the definition is the expected one.
    pub async fn move_end(&self, precondition: &Precondition, end_at: u64) -> Result<u64, ErrorCode> {
        let change = |definition: Option<SessionDefinition>, _| {
            Ok(SessionDefinition { end_at, ..definition.ok_or(ErrorCode::NoSuchRoom)? })
        };
        let changed = self.rooms().change(&self, &self.home, precondition, change).await;
        Ok(changed.map_err(expect_refusal)?.0.revision)
    }

    /// Moves the end a little, and may fail in any way.
    pub async fn try_change(&self) -> Result<(), Error> {
        let changed = SessionDefinition { end_at: END + 1, ..definition() };
        self.rooms().define(&self, &self.home, changed).await.map(drop)
    }

    /// Deletes the definition, and may fail in any way.
    pub async fn try_undefine(&self) -> Result<(), Error> {
        self.rooms().undefine(&self, &self.home, &Precondition::default()).await
    }

    /// Deletes the definition, which ends the session.
    pub async fn undefine(&self) {
        self.rooms().undefine(&self, &self.home, &Precondition::default()).await.unwrap();
    }

    /// Finds the shards that a sweep would visit.
    pub async fn find_due(&self) -> DueShards {
        self.rooms().find_due().await.unwrap()
    }

    /// Changes the end, as the API does.
    pub async fn define_end(&self, end_at: u64) {
        self.define(SessionDefinition { end_at, ..definition() }).await;
    }

    /// Listens as bridges do for deadlines.
    pub async fn listen_for_deadlines(&self) -> Deadlines {
        let mut subscription = self.server.client().get_async_pubsub().await.unwrap();
        subscription.subscribe(self.settings.keyspace.due_channel()).await.unwrap();
        Deadlines(subscription)
    }

    pub async fn attendance(&self) -> Attendance {
        self.rooms().attendance(&self.home).await.unwrap()
    }

    pub async fn read(&self, entries: &[&str]) -> RoomSnapshot {
        self.rooms().read(&self.read_of(entries)).await.unwrap()
    }

    /// A read of the room that checks entries.
    pub fn read_of(&self, entries: &[&str]) -> Read {
        let entries = entries.iter().map(|name| {
            let Membership { user_id, entry_id, .. } = self.membership(name);
            EntryRef { user_id, entry_id }
        });
        Read { room_id: self.home.clone(), entries: entries.collect() }
    }

    pub fn rooms(&self) -> Rooms<RedisPort> {
        self.rooms_through(RedisPort(self.redis.clone()))
    }

    /// The rooms for a caller that dies after so many scripts.
    pub fn rooms_that_die_after(&self, scripts: u32) -> Rooms<DyingPort> {
        let port = RedisPort(self.redis.clone());
        self.rooms_through(DyingPort { port, scripts_left: Cell::new(scripts) })
    }

    fn rooms_through<R: Redis>(&self, port: R) -> Rooms<R> {
        let settings = Settings { now: Some(self.now), ..self.settings.clone() };
        Rooms::new(port, &settings).unwrap()
    }

    /// Joins with a new entry: `kim/2` is Kim's second one.
    pub async fn join(&self, name: &str) -> Result<Joined, ErrorCode> {
        self.join_with(self.build_join(name)).await
    }

    /// Joins and presents the resume token of an earlier entry.
    pub async fn resume(&self, name: &str, earlier: &str) -> Result<Joined, ErrorCode> {
        self.join_with(Join { resumes: Some(resume_hash(earlier)), ..self.build_join(name) }).await
    }

    /// Joins in place of an earlier entry of the same socket, as a bridge does after the loss of its lease.
    pub async fn rejoin(&self, name: &str, earlier: &str) -> Result<Joined, ErrorCode> {
        let replaces = Some(earlier.parse().unwrap());
        self.join_with(Join { replaces, ..self.build_join(name) }).await
    }

    /// Joins, and may fail in any way.
    pub async fn try_join(&self, name: &str) -> Result<Joined, Error> {
        self.join_from(&self, name).await
    }

    /// Joins with the definition from another source.
    pub async fn join_from(&self, source: &impl DefinitionSource, name: &str) -> Result<Joined, Error> {
        self.rooms().join(source, &self.build_join(name)).await
    }

    /// Joins under another name and role.
    pub async fn join_named(&self, entry: &str, name: &str, role: Option<&str>) -> Result<Joined, ErrorCode> {
        self.join_with(self.build_join_named(entry, name, role)).await
    }

    /// Repeats the join of an entry with the profile of a newer token. `refreshes` counts the tokens.
    pub async fn refresh(&self, entry: &str, refreshes: u32, name: &str, role: Option<&str>) -> Joined {
        let join = Join { refreshes, ..self.build_join_named(entry, name, role) };
        self.join_with(join).await.unwrap()
    }

    /// The same, and may be refused.
    pub async fn try_refresh(&self, entry: &str, refreshes: u32, name: &str) -> Result<Joined, ErrorCode> {
        self.join_with(Join { refreshes, ..self.build_join_named(entry, name, None) }).await
    }

    async fn join_with(&self, join: Join) -> Result<Joined, ErrorCode> {
        self.rooms().join(&self, &join).await.map_err(expect_refusal)
    }

    fn build_join(&self, name: &str) -> Join {
        let Membership { user_id, entry_id, .. } = self.membership(name);
        Join {
            room_id: self.room.clone(),
            profile: Profile { user_name: user_id.as_str().to_uppercase(), user_id, user_role: None },
            entry_id,
            node_id: self.node.clone(),
            grant: None,
            resume_hash: resume_hash(name),
            resumes: None,
            replaces: None,
            refreshes: 0,
        }
    }

    fn build_join_named(&self, entry: &str, name: &str, role: Option<&str>) -> Join {
        let mut join = self.build_join(entry);
        join.profile.user_name = name.to_owned();
        join.profile.user_role = role.map(str::to_owned);
        join
    }

    /// Joins with a token that has the user's id in this form, in JSON.
    pub async fn join_as(&self, user_id: &str, name: &str) -> Result<Joined, ErrorCode> {
        self.join_with(self.build_join_as(user_id, name)).await
    }

    /// The same, with the resume token of an earlier entry.
    pub async fn resume_as(&self, user_id: &str, name: &str, earlier: &str) -> Result<Joined, ErrorCode> {
        self.join_with(Join { resumes: Some(resume_hash(earlier)), ..self.build_join_as(user_id, name) })
            .await
    }

    fn build_join_as(&self, user_id: &str, name: &str) -> Join {
        let mut join = self.build_join(name);
        join.profile.user_id = serde_json::from_str(user_id).unwrap();
        join
    }

    /// The membership of an entry: `kim/2` is Kim's second one.
    pub fn membership(&self, entry: &str) -> Membership {
        let user = entry.split('/').next().unwrap();
        Membership {
            room_id: self.home.clone(),
            user_id: user.parse().unwrap(),
            entry_id: entry.parse().unwrap(),
        }
    }

    pub async fn leave(&self, name: &str) {
        self.rooms().leave(&self.membership(name)).await.unwrap();
    }

    pub async fn disconnect(&self, name: &str) {
        self.rooms().disconnect(&self.membership(name)).await.unwrap();
    }

    pub async fn sweep(&self) -> ShardSweep {
        self.rooms().sweep(self.shard()).await.unwrap()
    }

    pub fn shard(&self) -> u64 {
        shard::of(&self.home, self.settings.shards)
    }

    /// The events published since the last call.
    pub async fn events(&mut self) -> Vec<Event> {
        let channel = self.settings.keyspace.channel(&self.home);
        let () =
            redis::cmd("PUBLISH").arg(channel).arg(END_OF_EVENTS).query_async(&mut self.redis).await.unwrap();
        let mut events = Vec::new();
        let mut messages = self.subscription.on_message();
        loop {
            let payload: String = messages.next().await.unwrap().get_payload().unwrap();
            if payload == END_OF_EVENTS {
                return events;
            }
            events.push(parse_event(&payload));
        }
    }

    /// The names of the events published since the last call.
    pub async fn event_names(&mut self) -> Vec<String> {
        self.events().await.into_iter().map(|event| event.name).collect()
    }

    /// The time by Redis's own clock, in milliseconds since 1970.
    pub async fn redis_time(&self) -> u64 {
        let (seconds, micros): (u64, u64) =
            redis::cmd("TIME").query_async(&mut self.redis.clone()).await.unwrap();
        seconds * 1000 + micros / 1000
    }

    /// When a key of the shard expires.
    pub async fn expiry(&self, key: &str) -> i64 {
        let key = self.shard_key(key);
        redis::cmd("PEXPIRETIME").arg(key).query_async(&mut self.redis.clone()).await.unwrap()
    }

    /// The whole name of a key of the shard.
    pub fn shard_key(&self, key: &str) -> String {
        self.settings.keyspace.key(self.shard(), key)
    }

    pub async fn keys(&mut self) -> Vec<String> {
        let mut keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut self.redis).await.unwrap();
        keys.sort();
        keys
    }
}

/// Everything in a Redis.
pub async fn contents(redis: &MultiplexedConnection) -> BTreeMap<String, Vec<u8>> {
    let redis = &mut redis.clone();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(redis).await.unwrap();
    let mut contents = BTreeMap::new();
    for key in keys {
        let dump: Vec<u8> = redis::cmd("DUMP").arg(&key).query_async(redis).await.unwrap();
        contents.insert(key, dump);
    }
    contents
}

/// Part of a Redis.
pub fn keyspace(prefix: &str, database: u16) -> Keyspace {
    Keyspace { prefix: prefix.parse().unwrap(), database }
}

fn parse_event(payload: &str) -> Event {
    let envelope: Envelope = serde_json::from_str(payload).unwrap();
    let data: Value = serde_json::from_str(envelope.data.get()).unwrap();
    if envelope.only.is_none() {
        assert_eq!(data["seq"], envelope.seq, "the payload has the event's seq");
        assert_eq!(data["epoch"], envelope.epoch, "the payload has the event's epoch");
    }
    Event {
        name: envelope.event,
        seq: envelope.seq,
        epoch: envelope.epoch,
        except: envelope.except.map(|entry| entry.to_string()),
        only: envelope.only.map(|entry| entry.to_string()),
        closes: envelope.closes,
        data,
    }
}

pub fn expect_refusal(failure: Error) -> ErrorCode {
    match failure {
        Error::Refused(refusal) => refusal.code,
        Error::Unavailable(reason) => panic!("{reason}"),
    }
}

/// The ids of the members in an ack, in order.
pub fn member_ids(joined: &Joined) -> Vec<String> {
    user_ids(&serde_json::from_str(joined.members.as_ref().unwrap().get()).unwrap())
}

/// The user ids in a list of members.
pub fn user_ids(members: &Value) -> Vec<String> {
    members.as_array().unwrap().iter().map(|member| member["userId"].as_str().unwrap().to_owned()).collect()
}

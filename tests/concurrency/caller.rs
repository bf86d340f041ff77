//! Calls of one thread, recorded with their outcomes.

use std::{cell::Cell, collections::BTreeSet, rc::Rc, sync::Arc, time::Duration};

use rollcall_protocol::{
    chat::{ChatAck, ChatCommand, HistoryRequest, MAX_HISTORY},
    definition::SessionDefinition,
    event::{EntryRef, Heartbeat, Join, Lease, Membership, Read},
};
use rollcall_rooms::{
    Error, Rooms, Settings,
    definitions::Precondition,
    redis::{Redis, client::Client},
    rooms::ShardLease,
};
use rollcall_tests::redis_server::RedisNetwork;
use tokio::time;

use crate::{
    call::{Ack, Call, Outcome, View},
    checker::{self, Stay},
    event::Message,
    harness::Harness,
    ids::{MORE_SHARDS, NODES, ROOMS, SHARD, id, settings},
    store::Crashing,
};

/// The time between two attempts of a call.
const PAUSE: Duration = Duration::from_millis(20);

/// Most attempts of a call while servers fail.
const MAX_ATTEMPTS: usize = 1000;

type Redirected = Rc<Client<RedisNetwork>>;

pub struct Caller {
    pub harness: Arc<Harness>,
    redis: Redirected,
    failures: Rc<Cell<usize>>,
    /// Of an instance of the app that knows of one shard, and of one that knows that there are more.
    rooms: [Rooms<Redirected>; 2],
    /// The last message that this thread has sent to each room.
    last_sent: [u64; ROOMS.len()],
    pub log: Log,
}

/// The record of a thread.
#[derive(Default)]
pub struct Log {
    pub calls: [Vec<Call>; ROOMS.len()],
    pub heartbeats: usize,
    pub sweeps: usize,
    pub lost_leases: usize,
    /// Callers of changes that crashed.
    pub crashes: usize,
    /// Entries whose joins took several attempts, and whose first ack may be lost.
    pub unsure: BTreeSet<String>,
    /// Failures of heartbeats and sweeps, which are never refused.
    pub failures: Vec<String>,
}

impl Caller {
    pub fn new(harness: Arc<Harness>) -> Self {
        let network = RedisNetwork::new(harness.redis.clone());
        let failures = network.failures();
        let redis = Rc::new(Client::new(network));
        let rooms = [1.into(), format!("1-{MORE_SHARDS}").parse().expect("a layout")].map(|shards| {
            let settings = Settings { is_cluster: harness.is_cluster, shards, ..settings() };
            Rooms::new(redis.clone(), &settings).expect("settings that can be written")
        });
        Self { harness, redis, failures, rooms, last_sent: [0; ROOMS.len()], log: Log::default() }
    }

    fn rooms(&self) -> &Rooms<Redirected> {
        &self.rooms[usize::from(self.harness.knows_of_growth())]
    }

    pub async fn join(&mut self, room: usize, join: &Join) {
        let began = self.harness.began.elapsed();
        let failures = self.failures.get();
        let joined =
            self.persist(async || self.rooms().join(&&self.harness.rooms[room].store, join).await).await;
        if self.failures.get() > failures {
            self.log.unsure.insert(join.entry_id.to_string());
        }
        let outcome = match joined {
            Ok(joined) => Outcome::Joined {
                user: join.profile.user_id.to_string(),
                entry: join.entry_id.to_string(),
                ack: Ack::of(&joined),
            },
            Err(Error::Refused(refusal)) => Outcome::JoinRefused(refusal.code),
            Err(Error::Unavailable(reason)) => Outcome::Failed(reason),
        };
        self.record(room, began, outcome);
    }

    pub async fn leave(&mut self, room: usize, membership: &Membership) {
        let began = self.harness.began.elapsed();
        let left = self.persist(async || self.rooms().leave(membership).await).await;
        self.record(room, began, closed(membership, left.err()));
    }

    pub async fn disconnect(&mut self, room: usize, membership: &Membership) {
        let began = self.harness.began.elapsed();
        let lost = self.persist(async || self.rooms().disconnect(membership).await).await;
        self.record(room, began, closed(membership, lost.err()));
    }

    pub async fn read(&mut self, room: usize, entries: Vec<EntryRef>) {
        let began = self.harness.began.elapsed();
        let read = Read { room_id: id(ROOMS[room].id), entries };
        let outcome = match self.persist(async || self.rooms().read(&read).await).await {
            Ok(snapshot) => Outcome::Read {
                entries: read.entries.iter().map(|entry| entry.entry_id.to_string()).collect(),
                view: View::of(&snapshot),
                gone: snapshot.gone.iter().map(ToString::to_string).collect(),
            },
            Err(failure) => Outcome::Failed(failure.to_string()),
        };
        self.record(room, began, outcome);
    }

    /// Sends a message. One that is refused leaves no record: while servers fail, it may have been sent before.
    pub async fn write(&mut self, room: usize, command: &ChatCommand) {
        let began = self.harness.began.elapsed();
        let outcome = match self.persist(async || self.rooms().command_chat(command).await).await {
            Ok(ack) => {
                let ack: ChatAck = serde_json::from_str(ack.get()).expect("an ack");
                let (user, id) = (command.membership.user_id.to_string(), command.command_id.to_string());
                let number = ack.message.map(|message| message.number);
                self.last_sent[room] = number.unwrap_or_default();
                Outcome::Sent { user, id, number }
            }
            Err(Error::Refused(_)) => return,
            Err(Error::Unavailable(reason)) => Outcome::Failed(reason),
        };
        self.record(room, began, outcome);
    }

    /// Reads messages as an operator: all, or those after the last one that this thread has sent.
    pub async fn read_messages(&mut self, room: usize, all: bool) {
        let after = if all { 0 } else { self.last_sent[room] };
        let began = self.harness.began.elapsed();
        let request = HistoryRequest { after: Some(after), before: None, limit: MAX_HISTORY };
        let read = self.persist(async || self.rooms().history(&id(ROOMS[room].id), &request).await).await;
        let outcome = match read {
            Ok(page) => {
                let messages = page.messages.into_iter().map(|message| Message {
                    number: message.number,
                    user: message.user_id.to_string(),
                    id: message.id.to_string(),
                });
                Outcome::Messages { after, messages: messages.collect(), more: page.more }
            }
            Err(Error::Refused(_)) => return,
            Err(Error::Unavailable(reason)) => Outcome::Failed(reason),
        };
        self.record(room, began, outcome);
    }

    pub async fn define(&mut self, room: usize, definition: SessionDefinition) {
        let began = self.harness.began.elapsed();
        let store = &self.harness.rooms[room].store;
        let defined = self.rooms().define(&store, &id(ROOMS[room].id), definition).await;
        self.record_change(room, began, defined.err()).await;
    }

    pub async fn undefine(&mut self, room: usize) {
        let began = self.harness.began.elapsed();
        let store = &self.harness.rooms[room].store;
        let undefined = self.rooms().undefine(&store, &id(ROOMS[room].id), &Precondition::default()).await;
        self.record_change(room, began, undefined.err()).await;
    }

    /// Changes the definition, or deletes it, and crashes meanwhile.
    pub async fn crash(&mut self, room: usize, definition: Option<SessionDefinition>, arrives: bool) {
        let store = Crashing { store: &self.harness.rooms[room].store, arrives };
        let id = id(ROOMS[room].id);
        let changed = match definition {
            Some(definition) => self.rooms().define(&store, &id, definition).await.map(drop),
            None => self.rooms().undefine(&store, &id, &Precondition::default()).await,
        };
        if let Err(Error::Unavailable(_)) = changed {
            self.abandon_change(room).await;
        }
    }

    async fn abandon_change(&mut self, room: usize) {
        self.log.crashes += 1;
        // Redis would expire the lock after some seconds.
        let lock = format!("revising:{}", ROOMS[room].id);
        for shard in self.harness.shards() {
            self.command("DEL", shard, &lock, &[]).await;
        }
    }

    /// Runs a command on a key of a shard.
    async fn command(&self, name: &str, shard: u64, key: &str, rest: &[&str]) -> Vec<Vec<u8>> {
        let key = format!("rollcall:{{{shard}}}:{key}");
        let arguments: Vec<&[u8]> =
            [&[key.as_str()][..], rest].concat().into_iter().map(str::as_bytes).collect();
        let run = async || {
            let reply = self.redis.command(name, &arguments).await;
            reply.map_err(|error| Error::Unavailable(error.to_string()))
        };
        self.persist(run).await.expect("Redis is up")
    }

    /// Makes a call. While servers fail, repeats the call until it is answered, as bridges do.
    async fn persist<T>(&self, call: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
        let mut attempt = 1;
        loop {
            match call().await {
                Err(Error::Unavailable(_)) if self.harness.servers_fail && attempt < MAX_ATTEMPTS => {
                    time::sleep(PAUSE).await;
                }
                outcome => return outcome,
            }
            attempt += 1;
        }
    }

    /// Joins while no change is under way, and checks that the room then goes by the definition in the store.
    pub async fn check_definition(&mut self, room: usize, join: &Join) {
        self.join(room, join).await;
        let key = format!("room:{}", ROOMS[room].id);
        let mut live: Option<u64> = None;
        for shard in self.harness.shards() {
            let revision = self.command("HGET", shard, &key, &["revision"]).await;
            live = live.or(String::from_utf8_lossy(&revision[0]).parse().ok());
        }
        let stored = self.harness.rooms[room].store.session().map(|session| session.revision);
        if live.is_some() && live < stored.or(Some(u64::MAX)) {
            self.log.failures.push(format!("{key} has revision {live:?}, and the store {stored:?}"));
        }
    }

    /// Returns whether the node lost its lease before the heartbeat.
    pub async fn heartbeat(&mut self, node: usize) -> bool {
        let lease = self.send_heartbeat(NODES[node], false).await;
        let is_lost = lease.is_some_and(|lease| self.harness.nodes.set_leased_since(node, lease.since));
        self.log.lost_leases += usize::from(is_lost);
        is_lost
    }

    pub async fn stop_node(&mut self, node: &str) {
        self.send_heartbeat(node, true).await;
    }

    async fn send_heartbeat(&mut self, node: &str, is_leaving: bool) -> Option<Lease> {
        let heartbeat = Heartbeat { node_id: id(node), is_leaving };
        self.log.heartbeats += 1;
        let first = self.renew(SHARD, &heartbeat).await;
        let ShardLease { mut lease, shards } = self.check(first)?;
        for shard in 1..shards.unwrap_or(1) {
            let other = self.renew(shard, &heartbeat).await;
            lease.since = lease.since.max(self.check(other)?.lease.since);
        }
        Some(lease)
    }

    async fn renew(&self, shard: u64, heartbeat: &Heartbeat) -> Result<ShardLease, Error> {
        self.persist(async || self.rooms().heartbeat(shard, heartbeat).await).await
    }

    /// Sweeps all shards. Returns the time until the next deadline.
    pub async fn sweep(&mut self) -> Option<Option<u64>> {
        let mut due_in_ms = None;
        for shard in self.harness.shards() {
            let swept = self.persist(async || self.rooms().sweep(shard).await).await;
            self.log.sweeps += 1;
            due_in_ms = due_in_ms.into_iter().chain(self.check(swept)?.due_in_ms).min();
        }
        Some(due_in_ms)
    }

    /// Records a failure instead of panicking: other threads wait for this one at the barrier.
    fn check<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        result.map_err(|failure| self.log.failures.push(failure.to_string())).ok()
    }

    pub async fn stays(&self, room: usize) -> Vec<Stay> {
        let attendance = self.persist(async || self.rooms().attendance(&id(ROOMS[room].id), &[]).await).await;
        checker::stays(&attendance.expect("never refused"))
    }

    /// Records a change. A change is never repeated, so that one whose reply is lost counts as one that crashed.
    async fn record_change(&mut self, room: usize, began: Duration, failure: Option<Error>) {
        match failure {
            Some(Error::Unavailable(_)) if self.harness.servers_fail => self.abandon_change(room).await,
            failure => self.record(room, began, changed(failure)),
        }
    }

    fn record(&mut self, room: usize, began: Duration, outcome: Outcome) {
        self.log.calls[room].push(Call { began, finished: self.harness.began.elapsed(), outcome });
    }
}

fn closed(membership: &Membership, failure: Option<Error>) -> Outcome {
    match failure {
        None => Outcome::Closed { entry: membership.entry_id.to_string() },
        Some(failure) => Outcome::Failed(failure.to_string()),
    }
}

fn changed(failure: Option<Error>) -> Outcome {
    match failure {
        None => Outcome::Changed(Ok(())),
        Some(Error::Refused(refusal)) => Outcome::Changed(Err(refusal.code)),
        Some(Error::Unavailable(reason)) => Outcome::Failed(reason),
    }
}

//! Calls of one thread, recorded with their outcomes.

use std::{sync::Arc, time::Duration};

use rollcall_protocol::{
    definition::SessionDefinition,
    event::{EntryRef, Heartbeat, Join, Lease, Membership, Read},
};
use rollcall_rooms::{Error, Rooms, definitions::Precondition, redis::Redis, rooms::ShardSweep};
use rollcall_tests::redis_server::{RedisPort, connect};

use crate::{
    call::{Ack, Call, Outcome, View},
    checker::{self, Stay},
    harness::Harness,
    ids::{NODES, ROOMS, SHARD, id, settings},
    store::Crashing,
};

pub struct Caller {
    pub harness: Arc<Harness>,
    redis: RedisPort,
    rooms: Rooms<RedisPort>,
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
    /// Failures of heartbeats and sweeps, which are never refused.
    pub failures: Vec<String>,
}

impl Caller {
    pub async fn connect(harness: Arc<Harness>) -> Self {
        let redis = RedisPort(connect(&harness.redis).await);
        let rooms = Rooms::new(redis.clone(), &settings()).expect("settings that can be written");
        Self { harness, redis, rooms, log: Log::default() }
    }

    pub async fn join(&mut self, room: usize, join: &Join) {
        let began = self.harness.began.elapsed();
        let joined = self.rooms.join(&&self.harness.rooms[room].store, join).await;
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
        let left = self.rooms.leave(membership).await;
        self.record(room, began, closed(membership, left.err()));
    }

    pub async fn disconnect(&mut self, room: usize, membership: &Membership) {
        let began = self.harness.began.elapsed();
        let lost = self.rooms.disconnect(membership).await;
        self.record(room, began, closed(membership, lost.err()));
    }

    pub async fn read(&mut self, room: usize, entries: Vec<EntryRef>) {
        let began = self.harness.began.elapsed();
        let read = Read { room_id: id(ROOMS[room].id), entries };
        let outcome = match self.rooms.read(&read).await {
            Ok(snapshot) => Outcome::Read {
                entries: read.entries.iter().map(|entry| entry.entry_id.to_string()).collect(),
                view: View::of(&snapshot),
                gone: snapshot.gone.iter().map(ToString::to_string).collect(),
            },
            Err(failure) => Outcome::Failed(failure.to_string()),
        };
        self.record(room, began, outcome);
    }

    pub async fn define(&mut self, room: usize, definition: SessionDefinition) {
        let began = self.harness.began.elapsed();
        let store = &self.harness.rooms[room].store;
        let defined = self.rooms.define(&store, &id(ROOMS[room].id), definition).await;
        self.record(room, began, changed(defined.err()));
    }

    pub async fn undefine(&mut self, room: usize) {
        let began = self.harness.began.elapsed();
        let store = &self.harness.rooms[room].store;
        let undefined = self.rooms.undefine(&store, &id(ROOMS[room].id), &Precondition::default()).await;
        self.record(room, began, changed(undefined.err()));
    }

    /// Changes the definition, or deletes it, and crashes meanwhile.
    pub async fn crash(&mut self, room: usize, definition: Option<SessionDefinition>, arrives: bool) {
        let store = Crashing { store: &self.harness.rooms[room].store, arrives };
        let id = id(ROOMS[room].id);
        let changed = match definition {
            Some(definition) => self.rooms.define(&store, &id, definition).await.map(drop),
            None => self.rooms.undefine(&store, &id, &Precondition::default()).await,
        };
        if let Err(Error::Unavailable(_)) = changed {
            self.log.crashes += 1;
            // Redis would expire the lock after some seconds.
            let lock = format!("rollcall:{{{SHARD}}}:revising:{id}");
            let freed = self.redis.command("DEL", &[lock.as_bytes()]).await;
            freed.expect("Redis is up");
        }
    }

    /// Joins while no change is under way, and checks that the room then goes by the definition in the store.
    pub async fn check_definition(&mut self, room: usize, join: &Join) {
        self.join(room, join).await;
        let key = format!("rollcall:{{{SHARD}}}:room:{}", ROOMS[room].id);
        let live = self.redis.command("HGET", &[key.as_bytes(), b"revision"]).await.expect("Redis is up");
        let live: Option<u64> = String::from_utf8_lossy(&live[0]).parse().ok();
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
        let lease = self.rooms.heartbeat(SHARD, &heartbeat).await.map(|held| held.lease);
        self.log.heartbeats += 1;
        self.check(lease)
    }

    pub async fn sweep(&mut self) -> Option<ShardSweep> {
        let swept = self.rooms.sweep(SHARD).await;
        self.log.sweeps += 1;
        self.check(swept)
    }

    /// Records a failure instead of panicking: other threads wait for this one at the barrier.
    fn check<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        result.map_err(|failure| self.log.failures.push(failure.to_string())).ok()
    }

    pub async fn stays(&self, room: usize) -> Vec<Stay> {
        checker::stays(&self.rooms.attendance(&id(ROOMS[room].id)).await.expect("never refused"))
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

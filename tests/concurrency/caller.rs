//! One thread's way to the rooms: every call and its outcome are kept.

use std::{sync::Arc, time::Duration};

use rollcall_protocol::{
    definition::SessionDefinition,
    event::{EntryRef, Heartbeat, Join, Lease, Membership, Read},
};
use rollcall_rooms::{Error, Rooms, definitions::Expected, rooms::ShardSweep};
use rollcall_tests::redis_server::{RedisPort, connect};

use crate::{
    call::{Ack, Call, View, What},
    checker::{self, Stay},
    ids::{NODES, ROOMS, SHARD, id, settings},
    stage::Stage,
};

pub struct Caller {
    pub stage: Arc<Stage>,
    rooms: Rooms<RedisPort>,
    pub log: Log,
}

/// What a thread did.
#[derive(Default)]
pub struct Log {
    pub calls: [Vec<Call>; ROOMS.len()],
    pub heartbeats: usize,
    pub sweeps: usize,
    pub broken_leases: usize,
    /// Of heartbeats and sweeps, which are never refused.
    pub failures: Vec<String>,
}

impl Caller {
    pub async fn connect(stage: Arc<Stage>) -> Self {
        let redis = RedisPort(connect(&stage.redis).await);
        let rooms = Rooms::new(redis, &settings()).expect("settings that can be written");
        Self { stage, rooms, log: Log::default() }
    }

    pub async fn join(&mut self, room: usize, join: &Join) {
        let began = self.stage.began.elapsed();
        let joined = self.rooms.join(&&self.stage.places[room].store, join).await;
        let what = match joined {
            Ok(joined) => What::Joined {
                user: join.profile.user_id.to_string(),
                entry: join.entry_id.to_string(),
                ack: Ack::of(&joined),
            },
            Err(Error::Refused(refusal)) => What::JoinRefused(refusal.code),
            Err(Error::Unavailable(reason)) => What::Failed(reason),
        };
        self.keep(room, began, what);
    }

    pub async fn leave(&mut self, room: usize, membership: &Membership) {
        let began = self.stage.began.elapsed();
        let left = self.rooms.leave(membership).await;
        self.keep(room, began, closed(membership, left.err()));
    }

    pub async fn disconnect(&mut self, room: usize, membership: &Membership) {
        let began = self.stage.began.elapsed();
        let lost = self.rooms.disconnect(membership).await;
        self.keep(room, began, closed(membership, lost.err()));
    }

    pub async fn read(&mut self, room: usize, seats: Vec<EntryRef>) {
        let began = self.stage.began.elapsed();
        let read = Read { room_id: id(ROOMS[room].id), entries: seats };
        let what = match self.rooms.read(&read).await {
            Ok(reading) => What::Read {
                seats: read.entries.iter().map(|seat| seat.entry_id.to_string()).collect(),
                view: View::of(&reading),
                gone: reading.gone.iter().map(ToString::to_string).collect(),
            },
            Err(failure) => What::Failed(failure.to_string()),
        };
        self.keep(room, began, what);
    }

    pub async fn define(&mut self, room: usize, definition: SessionDefinition) {
        let began = self.stage.began.elapsed();
        let store = &self.stage.places[room].store;
        let defined = self.rooms.define(&store, &id(ROOMS[room].id), definition).await;
        self.keep(room, began, changed(defined.err()));
    }

    pub async fn undefine(&mut self, room: usize) {
        let began = self.stage.began.elapsed();
        let store = &self.stage.places[room].store;
        let undefined = self.rooms.undefine(&store, &id(ROOMS[room].id), Expected::Anything).await;
        self.keep(room, began, changed(undefined.err()));
    }

    /// Returns whether the node's lease was broken in between.
    pub async fn heartbeat(&mut self, node: usize) -> bool {
        let lease = self.send_heartbeat(NODES[node], false).await;
        let is_broken = lease.is_some_and(|lease| self.stage.nodes.leased_since(node, lease.since));
        self.log.broken_leases += usize::from(is_broken);
        is_broken
    }

    pub async fn say_goodbye(&mut self, node: &str) {
        self.send_heartbeat(node, true).await;
    }

    async fn send_heartbeat(&mut self, node: &str, is_leaving: bool) -> Option<Lease> {
        let heartbeat = Heartbeat { node_id: id(node), is_leaving };
        let lease = self.rooms.heartbeat(SHARD, &heartbeat).await;
        self.log.heartbeats += 1;
        self.succeeded(lease)
    }

    pub async fn sweep(&mut self) -> Option<ShardSweep> {
        let swept = self.rooms.sweep(SHARD).await;
        self.log.sweeps += 1;
        self.succeeded(swept)
    }

    /// A thread that stopped here would keep the others waiting at the gate.
    fn succeeded<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        result.map_err(|failure| self.log.failures.push(failure.to_string())).ok()
    }

    pub async fn stays(&self, room: usize) -> Vec<Stay> {
        checker::stays(&self.rooms.attendance(&id(ROOMS[room].id)).await.expect("never refused"))
    }

    fn keep(&mut self, room: usize, began: Duration, what: What) {
        self.log.calls[room].push(Call { began, finished: self.stage.began.elapsed(), what });
    }
}

fn closed(membership: &Membership, failure: Option<Error>) -> What {
    match failure {
        None => What::Closed { entry: membership.entry_id.to_string() },
        Some(failure) => What::Failed(failure.to_string()),
    }
}

fn changed(failure: Option<Error>) -> What {
    match failure {
        None => What::Changed(Ok(())),
        Some(Error::Refused(refusal)) => What::Changed(Err(refusal.code)),
        Some(Error::Unavailable(reason)) => What::Failed(reason),
    }
}

//! One of the threads. In each round, it races the others to join first, and then makes random calls.

use std::sync::Arc;

use rollcall_protocol::{
    chat::{ChatAction, ChatCommand, MessageText},
    client::Profile,
    event::{EntryRef, Join, Membership},
};
use tokio::runtime::{Builder, Runtime};

use crate::{
    caller::{Caller, Log},
    changes,
    harness::Harness,
    ids::{NODES, ROOMS, USERS, id},
};

pub struct Worker {
    number: usize,
    random: fastrand::Rng,
    caller: Caller,
}

/// Runs all rounds. Returns the record of the thread.
pub fn run(number: usize, harness: Arc<Harness>) -> Log {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let caller = Caller::new(harness);
    let mut worker = Worker { number, random: fastrand::Rng::new(), caller };
    for _ in 0..worker.caller.harness.rounds {
        worker.run_round(&runtime);
    }
    worker.caller.log
}

impl Worker {
    fn run_round(&mut self, runtime: &Runtime) {
        let harness = self.caller.harness.clone();
        if harness.barrier.wait().is_leader() {
            runtime.block_on(self.set_up());
            harness.begin_round();
        }
        for room in 0..ROOMS.len() {
            harness.barrier.wait();
            runtime.block_on(self.race(room));
        }
        while !harness.is_round_over() {
            runtime.block_on(self.act());
        }
    }

    /// Checks the definitions of the last round, ends its sessions and defines new ones.
    async fn set_up(&mut self) {
        for room in 0..ROOMS.len() {
            let join = self.build_join(room, 0, NODES[0]);
            self.caller.check_definition(room, &join).await;
            self.caller.undefine(room).await;
            let session = changes::new_session(room, &mut self.random);
            self.caller.define(room, session).await;
        }
    }

    async fn race(&mut self, room: usize) {
        let user = self.number % USERS.len();
        let join = self.build_join(room, user, NODES[self.number % NODES.len()]);
        self.send(room, user, &join).await;
    }

    async fn act(&mut self) {
        let room = self.random.usize(..ROOMS.len());
        let next_in = self.random.u64(100..400);
        if self.caller.harness.rooms[room].next_change.restart_if_over(next_in) {
            return changes::change(&mut self.caller, room, &mut self.random).await;
        }
        if let Some(node) = self.caller.harness.nodes.pick_silent(&mut self.random)
            && self.random.bool()
        {
            return self.caller.stop_node(node).await;
        }
        match self.random.u8(..100) {
            0..20 => self.join(room).await,
            20..80 => self.follow_up(room).await,
            80..86 => self.write(room).await,
            86..94 => self.keep_alive().await,
            94..97 => {
                self.caller.sweep().await;
            }
            97..99 => self.read(room).await,
            _ => self.caller.read_messages(room, self.random.bool()).await,
        }
    }

    async fn join(&mut self, room: usize) {
        let user = self.random.usize(..USERS.len());
        if !self.caller.harness.is_away(room, user) {
            let node = self.caller.harness.nodes.pick_awake(&mut self.random);
            let join = self.build_join(room, user, NODES[node]);
            self.send(room, user, &join).await;
        }
    }

    /// Makes a call about an earlier join of this or another thread.
    async fn follow_up(&mut self, room: usize) {
        let Some((user, earlier)) = self.caller.harness.rooms[room].pool.pick(&mut self.random) else {
            return;
        };
        let is_away = self.caller.harness.is_away(room, user);
        match self.random.u8(..66) {
            0..12 if !is_away => self.resume(room, user, earlier).await,
            12..18 if !is_away => self.replace(room, user, earlier).await,
            18..28 => self.caller.join(room, &earlier).await,
            28..38 => self.caller.leave(room, &membership(earlier)).await,
            _ => self.caller.disconnect(room, &membership(earlier)).await,
        }
    }

    /// Writes a message over a connection of this or another thread, sometimes twice. Few ids, so that threads send the same
    /// message again, too.
    async fn write(&mut self, room: usize) {
        let Some((_, earlier)) = self.caller.harness.rooms[room].pool.pick(&mut self.random) else { return };
        let number = self.random.u8(..4);
        let command_id = id(&format!("{}#{number}", earlier.entry_id));
        let text = MessageText::clean(&format!("message {number}")).expect("a short text");
        let action = ChatAction::Send { text };
        let command = ChatCommand { membership: membership(earlier), command_id, action };
        self.caller.write(room, &command).await;
        if self.random.u8(..4) == 0 {
            self.caller.write(room, &command).await;
        }
    }

    /// Joins with the resume token of an earlier entry.
    async fn resume(&mut self, room: usize, user: usize, earlier: Join) {
        let node = self.caller.harness.nodes.pick_awake(&mut self.random);
        let join = self.build_join(room, user, NODES[node]);
        self.send(room, user, &Join { resumes: Some(earlier.resume_hash), ..join }).await;
    }

    /// Joins in place of an earlier entry of the same socket, as a bridge does after the loss of its lease.
    async fn replace(&mut self, room: usize, user: usize, earlier: Join) {
        let join = self.build_join(room, user, earlier.node_id.as_str());
        self.send(room, user, &Join { replaces: Some(earlier.entry_id), ..join }).await;
    }

    async fn keep_alive(&mut self) {
        let node = self.caller.harness.nodes.pick_awake(&mut self.random);
        if !self.caller.heartbeat(node).await {
            return;
        }
        for room in 0..ROOMS.len() {
            for (user, earlier) in self.caller.harness.rooms[room].pool.newest() {
                if earlier.node_id.as_str() == NODES[node] {
                    self.replace(room, user, earlier).await;
                }
            }
        }
    }

    async fn read(&mut self, room: usize) {
        let joins = self.caller.harness.rooms[room].pool.newest();
        let entry = |join: Join| EntryRef { user_id: join.profile.user_id, entry_id: join.entry_id };
        self.caller.read(room, joins.into_iter().map(|(_, join)| entry(join)).collect()).await;
    }

    /// Sends a join. Other threads may follow it up before it arrives.
    async fn send(&mut self, room: usize, user: usize, join: &Join) {
        self.caller.harness.rooms[room].pool.add(user, join.clone());
        self.caller.join(room, join).await;
    }

    fn build_join(&self, room: usize, user: usize, node: &str) -> Join {
        let user = USERS[user];
        let entry = self.caller.harness.next_entry(user);
        Join {
            room_id: id(ROOMS[room].id),
            profile: Profile { user_id: id(user), user_name: user.to_uppercase(), user_role: None },
            entry_id: id(&entry),
            grant: None,
            node_id: id(node),
            resume_hash: id(&format!("token of {entry}")),
            resumes: None,
            replaces: None,
            refreshes: 0,
        }
    }
}

fn membership(join: Join) -> Membership {
    Membership { room_id: join.room_id, user_id: join.profile.user_id, entry_id: join.entry_id }
}

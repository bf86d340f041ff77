//! One of the threads: round by round, it races the others to be first, and then does whatever comes to its mind.

use std::sync::Arc;

use rollcall_protocol::{
    client::Profile,
    event::{EntryRef, Join, Membership},
};
use tokio::runtime::{Builder, Runtime};

use crate::{
    caller::{Caller, Log},
    changes,
    ids::{NODES, ROOMS, USERS, id},
    stage::Stage,
};

pub struct Hammer {
    number: usize,
    random: fastrand::Rng,
    caller: Caller,
}

/// Runs until all rounds are over. Returns what was done.
pub fn hammer(number: usize, stage: Arc<Stage>) -> Log {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let caller = runtime.block_on(Caller::connect(stage));
    let mut hammer = Hammer { number, random: fastrand::Rng::new(), caller };
    for _ in 0..hammer.caller.stage.rounds {
        hammer.play_round(&runtime);
    }
    hammer.caller.log
}

impl Hammer {
    fn play_round(&mut self, runtime: &Runtime) {
        let stage = self.caller.stage.clone();
        if stage.gate.wait().is_leader() {
            runtime.block_on(self.set_up());
            stage.begin_round();
        }
        for room in 0..ROOMS.len() {
            stage.gate.wait();
            runtime.block_on(self.race(room));
        }
        while !stage.is_round_over() {
            runtime.block_on(self.act());
        }
    }

    /// Ends what is left of the last round, so that all begin anew.
    async fn set_up(&mut self) {
        for room in 0..ROOMS.len() {
            self.caller.undefine(room).await;
            let session = changes::new_session(room, &mut self.random);
            self.caller.define(room, session).await;
        }
    }

    async fn race(&mut self, room: usize) {
        let user = self.number % USERS.len();
        let join = self.entering(room, user, NODES[self.number % NODES.len()]);
        self.send(room, user, &join).await;
    }

    async fn act(&mut self) {
        let room = self.random.usize(..ROOMS.len());
        let again_in = self.random.u64(100..400);
        if self.caller.stage.places[room].next_change.take(again_in) {
            return changes::change(&mut self.caller, room, &mut self.random).await;
        }
        if let Some(node) = self.caller.stage.nodes.fall_silent(&mut self.random)
            && self.random.bool()
        {
            return self.caller.say_goodbye(node).await;
        }
        match self.random.u8(..100) {
            0..20 => self.join(room).await,
            20..86 => self.take_up(room).await,
            86..94 => self.keep_alive().await,
            94..97 => {
                self.caller.sweep().await;
            }
            _ => self.read(room).await,
        }
    }

    async fn join(&mut self, room: usize) {
        let user = self.random.usize(..USERS.len());
        if !self.caller.stage.is_away(room, user) {
            let node = self.caller.stage.nodes.awake(&mut self.random);
            let join = self.entering(room, user, NODES[node]);
            self.send(room, user, &join).await;
        }
    }

    /// Goes on with what this or another thread began.
    async fn take_up(&mut self, room: usize) {
        let Some((user, earlier)) = self.caller.stage.places[room].pool.any(&mut self.random) else { return };
        let is_away = self.caller.stage.is_away(room, user);
        match self.random.u8(..66) {
            0..12 if !is_away => self.resume(room, user, earlier).await,
            12..18 if !is_away => self.replace(room, user, earlier).await,
            18..28 => self.caller.join(room, &earlier).await,
            28..38 => self.caller.leave(room, &membership(earlier)).await,
            _ => self.caller.disconnect(room, &membership(earlier)).await,
        }
    }

    /// A client comes back with the token of an earlier entry.
    async fn resume(&mut self, room: usize, user: usize, earlier: Join) {
        let node = self.caller.stage.nodes.awake(&mut self.random);
        let join = self.entering(room, user, NODES[node]);
        self.send(room, user, &Join { resumes: Some(earlier.resume_hash), ..join }).await;
    }

    /// A bridge enters a member again whose socket it still holds.
    async fn replace(&mut self, room: usize, user: usize, earlier: Join) {
        let join = self.entering(room, user, earlier.node_id.as_str());
        self.send(room, user, &Join { replaces: Some(earlier.entry_id), ..join }).await;
    }

    async fn keep_alive(&mut self) {
        let node = self.caller.stage.nodes.awake(&mut self.random);
        if !self.caller.heartbeat(node).await {
            return;
        }
        for room in 0..ROOMS.len() {
            for (user, earlier) in self.caller.stage.places[room].pool.newest() {
                if earlier.node_id.as_str() == NODES[node] {
                    self.replace(room, user, earlier).await;
                }
            }
        }
    }

    async fn read(&mut self, room: usize) {
        let joins = self.caller.stage.places[room].pool.newest();
        let seat = |join: Join| EntryRef { user_id: join.profile.user_id, entry_id: join.entry_id };
        self.caller.read(room, joins.into_iter().map(|(_, join)| seat(join)).collect()).await;
    }

    /// Others may take it up before it has arrived.
    async fn send(&mut self, room: usize, user: usize, join: &Join) {
        self.caller.stage.places[room].pool.add(user, join.clone());
        self.caller.join(room, join).await;
    }

    fn entering(&self, room: usize, user: usize, node: &str) -> Join {
        let user = USERS[user];
        let entry = self.caller.stage.new_entry(user);
        Join {
            room_id: id(ROOMS[room].id),
            profile: Profile { user_id: id(user), user_name: user.to_uppercase(), user_role: None },
            entry_id: id(&entry),
            grant: None,
            node_id: id(node),
            resume_hash: id(&format!("token of {entry}")),
            resumes: None,
            replaces: None,
        }
    }
}

fn membership(join: Join) -> Membership {
    Membership { room_id: join.room_id, user_id: join.profile.user_id, entry_id: join.entry_id }
}

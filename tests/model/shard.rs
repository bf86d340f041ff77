//! Rooms that share nodes, and their sweep.

use crate::{
    clock::Clock,
    ids::{CHARGED, Node, PublicId, ROOMS, RoomNo, Time},
    lease::{Epochs, Leases},
    live::Live,
    room::{Context, Room},
};

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shard {
    pub rooms: [Room; ROOMS.len()],
    pub leases: Leases,
    pub epochs: Epochs,
    pub clock: Clock,
}

/// The result of a sweep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Swept {
    pub settled: u32,
    pub late: Time,
    pub more: bool,
    pub next: NextDue,
    pub due_in: Option<Time>,
}

/// The next deadline, as a call tells it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NextDue {
    pub as_of: Time,
    pub due: Option<Time>,
}

/// The result of a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Held {
    /// Start of the node's lease.
    pub since: u64,
    pub next: NextDue,
    /// How many living nodes have held their lease for longer.
    pub rank: usize,
}

/// A room in a list of live rooms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LiveRoom {
    pub id: PublicId,
    pub epoch: u64,
    pub started_at: Time,
    pub end_at: Time,
    pub count: usize,
}

/// A page of live rooms.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    pub rooms: Vec<LiveRoom>,
    /// The room after which the next page begins.
    pub next: Option<PublicId>,
}

impl Shard {
    /// Returns a room, and the part of the shard that changes of a room use.
    pub fn context(&mut self, room: RoomNo, now: Time) -> (&mut Room, Context<'_>) {
        self.run_clock(now);
        let Self { rooms, leases, epochs, clock } = self;
        (&mut rooms[room], Context { now, leases, epochs, clock })
    }

    /// Every call runs the clock first.
    pub fn run_clock(&mut self, now: Time) {
        self.clock.run(&mut self.leases, now);
    }

    /// Expires a node whose lease has ended, before it gets another lease.
    pub fn expire_if_ended(&mut self, node: Node, now: Time) {
        self.run_clock(now);
        if self.leases.of(node).is_some_and(|lease| lease.until <= now) {
            self.expire_node(node, now);
        }
    }

    /// Settles the rooms in which a node has entries, and removes the node. Returns the number of rooms.
    fn expire_node(&mut self, node: Node, now: Time) -> u32 {
        let mut settled = 0;
        for room in self.rooms.iter_mut().filter(|room| room.has_entries_of(node)) {
            room.settle(&self.leases, self.clock.paused, now);
            settled += 1;
        }
        self.leases.remove(node);
        settled
    }

    pub fn heartbeat(&mut self, node: Node, now: Time) -> Held {
        self.expire_if_ended(node, now);
        let lease = self.leases.ensure(node, &mut self.epochs, now);
        self.clock.start(now);
        self.leases.extend(node, now);
        let since = lease.since;
        let rank = self.leases.valid(now).iter().filter(|(_, other)| other.since < since).count();
        Held { since, next: NextDue { as_of: now, due: self.due() }, rank }
    }

    pub fn stop(&mut self, node: Node, now: Time) {
        self.run_clock(now);
        self.leases.end(node, now);
        self.expire_if_ended(node, now);
    }

    pub fn sweep(&mut self, now: Time) -> Swept {
        self.run_clock(now);
        let late = self.due().map_or(0, |due| now.saturating_sub(due));
        let mut settled = 0;
        for room in &mut self.rooms {
            if room.live.as_ref().is_some_and(|live| live.due() <= now) {
                room.settle(&self.leases, self.clock.paused, now);
                settled += 1;
            }
        }
        for node in self.leases.ended(now) {
            settled += self.expire_node(node, now);
        }
        let due = self.due();
        let more = due.is_some_and(|due| due <= now);
        let longest = if self.leases.first_end().is_some() { CHARGED } else { Time::MAX };
        let due_in = due.map(|due| due.saturating_sub(now).min(longest));
        Swept { settled, late, more, next: NextDue { as_of: now, due }, due_in }
    }

    /// Lists live rooms as they are, without those whose end is overdue. Settles nothing and does not run the clock.
    pub fn list(&self, after: Option<RoomNo>, limit: u32, now: Time) -> Page {
        let rooms = self.rooms.iter().skip(after.map_or(0, |after| after + 1));
        let live = rooms.filter_map(|room| room.live.as_ref()).filter(|live| now < live.terms.end_at);
        let listed = live.map(|live| LiveRoom {
            id: live.room,
            epoch: live.epoch,
            started_at: live.started_at,
            end_at: live.terms.end_at,
            count: live.members.len(),
        });
        let rooms: Vec<LiveRoom> = listed.take(limit as usize).collect();
        let next = rooms.last().filter(|_| rooms.len() == limit as usize).map(|room| room.id);
        Page { rooms, next }
    }

    /// The next deadline.
    pub fn due(&self) -> Option<Time> {
        let rooms = self.rooms.iter().filter_map(|room| room.live.as_ref().map(Live::due));
        rooms.chain(self.leases.first_end()).min()
    }

    /// When each live room is due next.
    pub fn room_deadlines(&self) -> [Option<Time>; ROOMS.len()] {
        self.rooms.each_ref().map(|room| room.live.as_ref().map(Live::due))
    }

    /// The state at a time, without the number of events: it must not depend on who settled rooms before, and when.
    pub fn at(&self, now: Time) -> Self {
        let mut shard = self.clone();
        shard.clock.ran_at = None;
        for room in &mut shard.rooms {
            room.settle(&shard.leases, shard.clock.paused, now);
            room.history.events.clear();
            room.history.closed.clear();
            let Some(live) = &mut room.live else { continue };
            live.seq = 0;
        }
        shard.leases = shard.leases.valid(now);
        shard
    }
}

//! Rooms that share nodes, and the sweep that settles them when nobody calls.

use crate::{
    ids::{Node, ROOMS, RoomNo, Time},
    lease::{Leases, Names},
    live::Live,
    room::{Room, Turn},
};

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shard {
    pub rooms: [Room; ROOMS.len()],
    pub leases: Leases,
    pub names: Names,
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Swept {
    pub settled: u32,
    pub late: Time,
    pub more: bool,
    pub due_in: Option<Time>,
}

impl Shard {
    /// A room, and what its change needs beside it.
    pub fn turn(&mut self, room: RoomNo, now: Time) -> (&mut Room, Turn<'_>) {
        (&mut self.rooms[room], Turn { now, leases: &mut self.leases, names: &mut self.names })
    }

    /// What a node holds is lost once its lease has ended, before it gets another.
    pub fn lapse_if_ended(&mut self, node: Node, now: Time) {
        if self.leases.of(node).is_some_and(|lease| lease.until <= now) {
            self.lapse(node, now);
        }
    }

    /// Settles the rooms in which a node holds seats, and forgets it. Returns how many rooms.
    fn lapse(&mut self, node: Node, now: Time) -> u32 {
        let mut settled = 0;
        for room in self.rooms.iter_mut().filter(|room| room.holds(node)) {
            room.settle(&self.leases, now);
            settled += 1;
        }
        self.leases.forget(node);
        settled
    }

    /// Returns since when the node has its lease.
    pub fn heartbeat(&mut self, node: Node, now: Time) -> u64 {
        self.lapse_if_ended(node, now);
        let lease = self.leases.ensure(node, &mut self.names, now);
        self.leases.prolong(node, now);
        lease.since
    }

    pub fn goodbye(&mut self, node: Node, now: Time) {
        self.leases.cut_short(node, now);
        self.lapse_if_ended(node, now);
    }

    pub fn sweep(&mut self, now: Time) -> Swept {
        let late = self.due().map_or(0, |due| now.saturating_sub(due));
        let mut settled = 0;
        for room in &mut self.rooms {
            if room.live.as_ref().is_some_and(|live| live.due() <= now) {
                room.settle(&self.leases, now);
                settled += 1;
            }
        }
        for node in self.leases.ended(now) {
            settled += self.lapse(node, now);
        }
        let due = self.due();
        let more = due.is_some_and(|due| due <= now);
        Swept { settled, late, more, due_in: due.map(|due| due.saturating_sub(now)) }
    }

    /// When something is next due.
    pub fn due(&self) -> Option<Time> {
        let rooms = self.rooms.iter().filter_map(|room| room.live.as_ref().map(Live::due));
        rooms.chain(self.leases.first_end()).min()
    }

    /// How things are at a time, whoever has looked before, without how many events it took to tell.
    pub fn at(&self, now: Time) -> Self {
        let mut shard = self.clone();
        for room in &mut shard.rooms {
            room.settle(&shard.leases, now);
            room.past.events.clear();
            room.past.closed.clear();
            let Some(live) = &mut room.live else { continue };
            live.seq = 0;
        }
        shard.leases = shard.leases.valid(now);
        shard
    }
}

//! The rooms that are open. Each slot holds one room at a time; when a session ends, the next room takes its slot.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use fastrand::Rng;

/// The open rooms, by slot. A slot holds the generation of its room.
pub struct OpenRooms(RwLock<Vec<u32>>);

impl OpenRooms {
    /// Creates the first room of every slot.
    pub fn new(slots: usize) -> Self {
        Self(RwLock::new(vec![0; slots]))
    }

    /// The number of slots.
    pub fn slots(&self) -> usize {
        self.read().len()
    }

    /// The id of the room in a slot.
    pub fn room(&self, slot: usize) -> String {
        room_id(slot, self.read()[slot])
    }

    /// The id of the room that follows in a slot.
    pub fn next_room(&self, slot: usize) -> String {
        room_id(slot, self.read()[slot] + 1)
    }

    /// Replaces the room in a slot with the next.
    pub fn advance(&self, slot: usize) {
        self.0.write().unwrap_or_else(PoisonError::into_inner)[slot] += 1;
    }

    /// Picks a random room.
    pub fn pick(&self, rng: &mut Rng) -> String {
        self.room(rng.usize(..self.slots()))
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<u32>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn room_id(slot: usize, generation: u32) -> String {
    format!("soak-{slot}-{generation}")
}

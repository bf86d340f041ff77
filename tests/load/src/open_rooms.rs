//! The open rooms, in numbered slots: when a room ends, the next room takes its slot.

use std::sync::{PoisonError, RwLock};

use fastrand::Rng;

/// The open rooms.
pub struct OpenRooms(RwLock<Vec<Slot>>);

#[derive(Clone, Default)]
struct Slot {
    generation: u32,
}

impl OpenRooms {
    /// One open room in each of so many slots.
    pub fn new(slots: usize) -> Self {
        Self(RwLock::new(vec![Slot::default(); slots]))
    }

    /// How many slots there are.
    pub fn slots(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The room in a slot.
    pub fn room(&self, slot: usize) -> String {
        let slots = self.0.read().unwrap_or_else(PoisonError::into_inner);
        name(slot, slots[slot].generation)
    }

    /// The room that comes next in a slot.
    pub fn next_room(&self, slot: usize) -> String {
        let slots = self.0.read().unwrap_or_else(PoisonError::into_inner);
        name(slot, slots[slot].generation + 1)
    }

    /// Opens the next room in a slot.
    pub fn replace(&self, slot: usize) {
        self.0.write().unwrap_or_else(PoisonError::into_inner)[slot].generation += 1;
    }

    /// A random room.
    pub fn any(&self, rng: &mut Rng) -> String {
        self.room(rng.usize(..self.slots()))
    }
}

fn name(slot: usize, generation: u32) -> String {
    format!("soak-{slot}-{generation}")
}

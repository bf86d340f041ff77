//! The rooms that are open, as a board in a hall: each place shows the room that is there now.

use std::sync::{PoisonError, RwLock};

use fastrand::Rng;

/// The rooms that are open.
pub struct Board(RwLock<Vec<Place>>);

#[derive(Clone, Default)]
struct Place {
    generation: u32,
}

impl Board {
    /// With so many places.
    pub fn new(places: usize) -> Self {
        Self(RwLock::new(vec![Place::default(); places]))
    }

    /// How many places there are.
    pub fn places(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The room at a place.
    pub fn room(&self, place: usize) -> String {
        let places = self.0.read().unwrap_or_else(PoisonError::into_inner);
        name(place, places[place].generation)
    }

    /// The room that will be at a place next.
    pub fn next_room(&self, place: usize) -> String {
        let places = self.0.read().unwrap_or_else(PoisonError::into_inner);
        name(place, places[place].generation + 1)
    }

    /// Shows the next room at a place.
    pub fn turn(&self, place: usize) {
        self.0.write().unwrap_or_else(PoisonError::into_inner)[place].generation += 1;
    }

    /// Any of the rooms.
    pub fn any(&self, rng: &mut Rng) -> String {
        self.room(rng.usize(..self.places()))
    }
}

fn name(place: usize, generation: u32) -> String {
    format!("soak-{place}-{generation}")
}

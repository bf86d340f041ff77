//! The joins of one room that were sent of late. Any thread takes up what any other began: copies, leaves, losses.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard},
};

use rollcall_protocol::event::Join;

use crate::ids::USERS;

/// How many of each user: enough that most of them are over.
const CAPACITY: usize = 6;

/// The newest first. By user, so that those who seldom come are not crowded out.
type Joins = [VecDeque<Join>; USERS.len()];

#[derive(Default)]
pub struct Pool(Mutex<Joins>);

impl Pool {
    pub fn add(&self, user: usize, join: Join) {
        let joins = &mut self.lock()[user];
        joins.push_front(join);
        joins.truncate(CAPACITY);
    }

    /// One of them, and whose it is; often the newest.
    pub fn any(&self, random: &mut fastrand::Rng) -> Option<(usize, Join)> {
        let user = random.usize(..USERS.len());
        let place = if random.bool() { 0 } else { random.usize(..CAPACITY) };
        Some((user, self.lock()[user].get(place)?.clone()))
    }

    /// The newest of each user.
    pub fn newest(&self) -> Vec<(usize, Join)> {
        let joins = self.lock();
        let newest =
            joins.iter().enumerate().filter_map(|(user, joins)| Some((user, joins.front()?.clone())));
        newest.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Joins> {
        self.0.lock().expect("nobody panics with it")
    }
}

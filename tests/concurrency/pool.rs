//! Recent joins of one room. Any thread may copy, leave or disconnect an entry of any other thread.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard},
};

use rollcall_protocol::event::Join;

use crate::ids::USERS;

/// Joins kept per user: enough that most entries are closed.
const CAPACITY: usize = 6;

/// The newest first. Per user, so that rare users keep theirs.
type Joins = [VecDeque<Join>; USERS.len()];

#[derive(Default)]
pub struct Pool(Mutex<Joins>);

impl Pool {
    pub fn add(&self, user: usize, join: Join) {
        let joins = &mut self.lock()[user];
        joins.push_front(join);
        joins.truncate(CAPACITY);
    }

    /// Picks a join and its user; often the newest join.
    pub fn pick(&self, random: &mut fastrand::Rng) -> Option<(usize, Join)> {
        let user = random.usize(..USERS.len());
        let place = if random.bool() { 0 } else { random.usize(..CAPACITY) };
        Some((user, self.lock()[user].get(place)?.clone()))
    }

    /// The newest join of each user.
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

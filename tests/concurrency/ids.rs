//! Rooms, users, nodes and times of the run: few, so that the threads meet, and short, so that much happens.

use std::{
    fmt::Debug,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rollcall_protocol::definition::Duplicates;
use rollcall_rooms::Settings;

pub const THREADS: usize = 16;

/// Length of a round of all threads.
pub const ROUND: Duration = Duration::from_millis(1500);

pub struct Room {
    pub id: &'static str,
    pub duplicates: Duplicates,
    pub capacity: Option<u32>,
}

pub const ROOMS: [Room; 4] = [
    Room { id: "algebra", duplicates: Duplicates::Refuse, capacity: None },
    Room { id: "biology", duplicates: Duplicates::Takeover, capacity: None },
    Room { id: "chemistry", duplicates: Duplicates::Share, capacity: None },
    Room { id: "drawing", duplicates: Duplicates::Refuse, capacity: Some(6) },
];

pub const USERS: [&str; 12] =
    ["ada", "ben", "cem", "dora", "emil", "fay", "gus", "hana", "ida", "jan", "kim", "lea"];

/// Time for which some users stay away from some rooms.
pub const ABSENCE: Duration = Duration::from_millis(300);

pub const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];

pub const SHARD: u64 = 0;

/// The number of shards after their number has grown. All rooms but one move.
pub const MORE_SHARDS: u64 = 4;

/// Settings with one shard, so that all rooms share leases and deadlines.
pub fn settings() -> Settings {
    Settings {
        // Few, so that rooms take several scripts.
        slice_members: 2,
        grace_ms: 150,
        lease_ms: 300,
        reminder_lead_ms: 200,
        shards: 1.into(),
        entry_burst: 5,
        entry_interval_ms: 150,
        ..Settings::default()
    }
}

pub fn id<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().expect("an id")
}

/// This machine's clock, which is also Redis's.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_millis() as u64
}

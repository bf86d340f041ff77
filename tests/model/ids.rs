//! Users, nodes, rooms and limits of the interleavings.

use serde::{Serialize, Serializer, de::DeserializeOwned};
use serde_json::json;

pub type User = &'static str;
pub type Node = &'static str;
/// An index in [`ROOMS`].
pub type RoomNo = usize;
/// Milliseconds since 1970.
pub type Time = u64;

/// An entry, also used for the resume token of the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryId(pub u32);

/// An id of a user or a room, as clients see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PublicId {
    pub text: &'static str,
    pub is_number: bool,
}

impl PublicId {
    /// Parses the id in the form that clients see.
    pub fn parse<T: DeserializeOwned>(self) -> T {
        serde_json::from_value(json!(self)).expect("an id that is well formed")
    }
}

impl Serialize for PublicId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.text.parse::<i64>() {
            Ok(number) if self.is_number => number.serialize(serializer),
            _ => self.text.serialize(serializer),
        }
    }
}

/// Two of the ids may be numbers; one of them is the largest that a JavaScript client reads.
pub const USERS: [User; 4] = ["7", "9007199254740991", "kim", "lea"];
pub const NODES: [Node; 3] = ["node-1", "node-2", "node-3"];
pub const ROOMS: [&str; 2] = ["-12", "botany"];

/// The text of every notice.
pub const NOTICE: &str = "Five \"minutes\" 🦉";

pub const SECOND: Time = 1000;
pub const MINUTE: Time = 60 * SECOND;
/// Ahead of Redis's own clock, so that no key expires during a run.
pub const START: Time = 4_000_000_000_000;

/// Grace period of a member without a connection.
pub const GRACE: Time = 30 * SECOND;
/// Time from a heartbeat to the end of the node's lease.
pub const LEASE: Time = 15 * SECOND;
/// A shard without a call for longer has paused.
pub const MAX_SILENCE: Time = LEASE / 2;
/// The part of such a silence that is no pause.
pub const CHARGED: Time = LEASE / 3;
/// Time from the reminder to the end.
pub const REMINDER_LEAD: Time = 10 * MINUTE;
/// Minimum time for which a closed entry is kept.
pub const CLOSED_ENTRY_TTL: Time = 10 * MINUTE;
/// Time for which a call may be under way: in which an announced change reaches the store, and a join has done its work
/// after it read the store.
pub const LONGEST_CALL: Time = CLOSED_ENTRY_TTL;
/// Time for which a session's keys may outlive its end.
pub const RETENTION: Time = 60 * MINUTE;
/// One less than the number of users, so that rooms can exceed the limit.
pub const ROSTER_LIMIT: usize = 3;
/// Most members whom one step of a script settles: few, so that rooms take several scripts.
pub const SLICE: usize = 2;
/// How often a user may enter a room at once.
pub const ENTRY_BURST: u64 = 10;
/// Time in which a user may enter once more after that.
pub const ENTRY_INTERVAL: Time = 10 * SECOND;
/// How often a user may change the timer of a room at once.
pub const TIMER_BURST: u64 = 4;
/// Time in which a user may change the timer once more after that.
pub const TIMER_INTERVAL: Time = 10 * SECOND;
/// How often a user may write to the chat of a room at once.
pub const CHAT_BURST: u64 = 5;
/// Time in which a user may write once more after that.
pub const CHAT_INTERVAL: Time = 5 * SECOND;
/// The most messages and deletions that a room keeps.
pub const CHAT_LIMIT: usize = 6;
/// How many of the latest of them are searched for a message that is sent again.
pub const LATEST: usize = 100;
/// How often a user may change the code of a room at once.
pub const CODE_BURST: u64 = 5;
/// Time in which a user may do so once more after that.
pub const CODE_INTERVAL: Time = 5 * SECOND;
/// How often a user may read a snippet with its text at once.
pub const CODE_READ_BURST: u64 = 4;
/// Time in which a user may do so once more after that.
pub const CODE_READ_INTERVAL: Time = 5 * SECOND;
/// How often a user may change documents of a room, or show a position in one, at once.
pub const DOCUMENT_BURST: u64 = 6;
/// Time in which a user may do so once more after that.
pub const DOCUMENT_INTERVAL: Time = 3 * SECOND;
/// The most snippets of a room.
pub const CODE_LIMIT: usize = 3;
/// How many of them one user may share: a quarter, and at least one.
pub const CODE_SHARE: usize = 1;
/// How often a user may change the status or the goal in a room at once.
pub const STATUS_BURST: u64 = 3;
/// Time in which a user may change the status or the goal once more after that.
pub const STATUS_INTERVAL: Time = 10 * SECOND;
/// Stays in a room's attendance: few, so that all users reach their share.
pub const ATTENDANCE_LIMIT: usize = 8;
/// Most connections of a user in a room.
pub const MAX_SHARED: usize = 16;

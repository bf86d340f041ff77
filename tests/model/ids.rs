//! Who and what the interleavings are about, and the limits that hold for them.

pub type User = &'static str;
pub type Node = &'static str;
/// A place in [`ROOMS`].
pub type RoomNo = usize;
/// Milliseconds since 1970.
pub type Time = u64;

/// One coming-in of a user. The token that it can be resumed with goes by the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry(pub u32);

pub const USERS: [User; 4] = ["ben", "kim", "lea", "zoe"];
pub const NODES: [Node; 3] = ["node-1", "node-2", "node-3"];
pub const ROOMS: [&str; 2] = ["algebra", "botany"];

pub const SECOND: Time = 1000;
pub const MINUTE: Time = 60 * SECOND;
/// In the future of Redis's own clock, so that no key expires in the middle.
pub const START: Time = 4_000_000_000_000;

/// How long a member without a connection may stay away.
pub const GRACE: Time = 30 * SECOND;
/// How long a node's connections count as live after it was heard of.
pub const LEASE: Time = 15 * SECOND;
/// How long before the end members are reminded.
pub const LEAD: Time = 10 * MINUTE;
/// How long an entry that is over is remembered at least.
pub const MEMORY: Time = 10 * MINUTE;
/// How long what is left of a session is kept after its end.
pub const RETENTION: Time = 60 * MINUTE;
/// Up to how many members events carry the list: one less than there can be.
pub const ROSTER_LIMIT: usize = 3;
/// How many connections of a user may be in a room.
pub const MAX_SHARED: usize = 16;

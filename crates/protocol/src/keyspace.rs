//! The part of a Redis that belongs to one deployment. Several deployments can share a Redis.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{NodeId, RoomId};

const MAX_PREFIX_BYTES: usize = 32;

const DEFAULT_PREFIX: &str = "rollcall";

/// Definitions of the default keyspace begin so.
const RESERVED_PREFIX: &str = "session";

/// The beginning of a deployment's keys and channels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyPrefix(String);

/// A text is not the beginning of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be 1 to {} letters, digits, \"-\", \"_\" or \".\", as in \"staging\", and not \"{}\"",
    MAX_PREFIX_BYTES,
    RESERVED_PREFIX
)]
pub struct InvalidPrefix;

impl FromStr for KeyPrefix {
    type Err = InvalidPrefix;

    /// Refuses characters that separate the parts of a key, or have a meaning in patterns of keys.
    fn from_str(text: &str) -> Result<Self, InvalidPrefix> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for KeyPrefix {
    type Error = InvalidPrefix;

    fn try_from(text: String) -> Result<Self, InvalidPrefix> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_usable = (1..=MAX_PREFIX_BYTES).contains(&text.len())
            && text.bytes().all(is_allowed)
            && text != RESERVED_PREFIX;
        if is_usable { Ok(Self(text)) } else { Err(InvalidPrefix) }
    }
}

impl From<KeyPrefix> for String {
    fn from(KeyPrefix(text): KeyPrefix) -> Self {
        text
    }
}

impl Default for KeyPrefix {
    fn default() -> Self {
        Self(DEFAULT_PREFIX.to_owned())
    }
}

impl fmt::Display for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The keys and channels of one deployment.
///
/// The text is what all of them begin with. It holds the number of the database, because all databases of a Redis share
/// their channels. A colon separates the two, which no prefix holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyspace {
    /// The beginning of all keys and channels.
    pub prefix: KeyPrefix,
    /// The database of Redis that holds the keys.
    pub database: u16,
}

impl Keyspace {
    /// A key. The braces keep the keys of one slot together in a cluster.
    pub fn key(&self, slot: impl fmt::Display, name: impl fmt::Display) -> String {
        format!("{self}:{{{slot}}}:{name}")
    }

    /// What all channels begin with.
    pub fn channel_prefix(&self) -> String {
        format!("{self}:events:")
    }

    /// The channel that carries a room's events.
    pub fn channel(&self, room: &RoomId) -> String {
        format!("{}{room}", self.channel_prefix())
    }

    /// What the channels of a shard's rooms begin with in a cluster. The braces keep the channels in the slot of the
    /// shard's keys, so that one node has both.
    pub fn shard_channel_prefix(&self, shard: u64) -> String {
        format!("{}{{{shard}}}:", self.channel_prefix())
    }

    /// The channel on which a node of a cluster tells that it no longer has a shard. Nothing is published there.
    ///
    /// The tab keeps the channel apart from those of rooms.
    pub fn shard_channel(&self, shard: u64) -> String {
        format!("{}\t", self.shard_channel_prefix(shard))
    }

    /// The channel on which a bridge node hears that the app publishes to the Redis where the node listens.
    ///
    /// The prefix is that of rooms' channels, so that the node learns at its start whether Redis lets it subscribe to
    /// rooms. The tab keeps the channel apart from those of rooms, whose ids hold no control characters.
    pub fn node_channel(&self, node: &NodeId) -> String {
        format!("{}\t{node}", self.channel_prefix())
    }

    /// The channel on which every bridge hears when something is due, as [`NextDue`](crate::event::NextDue): after each
    /// sweep that a bridge asked for, and at once when a deadline is too near to be heard of with the next heartbeat.
    ///
    /// The second tab keeps the channel apart from those of nodes.
    pub fn due_channel(&self) -> String {
        format!("{}\t\tdue", self.channel_prefix())
    }

    /// A key in the key-value store of definitions. Stores have held those of the default keyspace without a prefix since
    /// before there were others.
    pub fn definition_key(&self, name: impl fmt::Display) -> String {
        if *self == Self::default() { format!("session:{name}") } else { format!("{self}:session:{name}") }
    }
}

impl fmt::Display for Keyspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.database {
            0 => self.prefix.fmt(f),
            database => write!(f, "{}:{database}", self.prefix),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyspace(prefix: &str, database: u16) -> Keyspace {
        Keyspace { prefix: prefix.parse().unwrap(), database }
    }

    #[test]
    fn the_default_names_never_change_between_releases() {
        let (keyspace, room) = (Keyspace::default(), RoomId::new("algebra").unwrap());
        assert_eq!(keyspace.key(6, "deadlines"), "rollcall:{6}:deadlines");
        assert_eq!(keyspace.channel(&room), "rollcall:events:algebra");
        assert_eq!(keyspace.shard_channel_prefix(6), "rollcall:events:{6}:");
        assert_eq!(keyspace.definition_key(&room), "session:algebra");
    }

    #[test]
    fn another_prefix_or_database_changes_all_names() {
        let room = RoomId::new("algebra").unwrap();
        for (keyspace, name) in [
            (keyspace("staging", 0), "staging"),
            (keyspace("rollcall", 3), "rollcall:3"),
            (keyspace("staging", 3), "staging:3"),
        ] {
            assert_eq!(keyspace.key("jwks", "set"), format!("{name}:{{jwks}}:set"));
            assert_eq!(keyspace.channel(&room), format!("{name}:events:algebra"));
            assert_eq!(keyspace.definition_key(&room), format!("{name}:session:algebra"));
        }
    }

    #[test]
    fn no_room_has_the_channel_of_a_node() {
        let channel = Keyspace::default().node_channel(&NodeId::new("n").unwrap());
        assert!(channel.strip_prefix("rollcall:events:").unwrap().parse::<RoomId>().is_err());
    }

    #[test]
    fn no_room_has_the_channel_of_a_shard() {
        let channel = Keyspace::default().shard_channel(6);
        assert!(channel.strip_prefix("rollcall:events:{6}:").unwrap().parse::<RoomId>().is_err());
    }

    #[test]
    fn no_room_and_no_node_has_the_channel_of_deadlines() {
        let channel = Keyspace::default().due_channel();
        let name = channel.strip_prefix("rollcall:events:").unwrap();
        assert!(name.parse::<RoomId>().is_err());
        assert!(NodeId::new(name.strip_prefix('\t').unwrap()).is_err());
    }

    #[test]
    fn a_prefix_is_short_and_cannot_hold_separators_or_patterns() {
        let longest = "x".repeat(MAX_PREFIX_BYTES);
        for good in ["rollcall", "a", "Team-7_eu.west", "3", "sessions", &longest] {
            assert_eq!(good.parse::<KeyPrefix>().unwrap().to_string(), good);
        }
        for bad in
            ["", "a:b", "a{b", "a}", "a*", "a?", "[a]", "a b", "a\\", "ä", "\t", "session", &(longest + "x")]
        {
            assert_eq!(bad.parse::<KeyPrefix>(), Err(InvalidPrefix), "{bad:?}");
        }
        let message =
            "must be 1 to 32 letters, digits, \"-\", \"_\" or \".\", as in \"staging\", and not \"session\"";
        assert_eq!(InvalidPrefix.to_string(), message);
    }
}

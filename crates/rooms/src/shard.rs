//! Shards: the unit of atomicity and of sweeps.

use std::{fmt, str::FromStr};

use rollcall_protocol::{Keyspace, RoomId, shard::shard_of};
use serde::{Serialize, Serializer};

const MOST_SHARDS: u64 = 4096;

/// How many shards there are, and how many there were before.
///
/// A room whose session started in its earlier shard stays there until the session ends. All later sessions start in the
/// room's new shard. The number only grows, so the numbers of all shards are below the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    shards: u64,
    earlier: Option<u64>,
}

/// A text does not name numbers of shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a number from 1 to {MOST_SHARDS}, as in \"16\", or a smaller and a larger one, as in \"16-64\""
)]
pub struct InvalidLayout;

impl Layout {
    /// The number of shards.
    pub fn shards(self) -> u64 {
        self.shards
    }

    /// The numbers of shards among which rooms may lie.
    pub(crate) fn numbers(self) -> impl Iterator<Item = u64> {
        self.earlier.into_iter().chain([self.shards])
    }

    /// The shard where new sessions of a room start.
    pub fn shard_of(self, room: &RoomId) -> u64 {
        shard_of(room, self.shards)
    }

    /// The shard that decides where a room lies. It is not [`Self::shard_of`] while the room may still lie where it lay
    /// before.
    pub fn deciding_shard_of(self, room: &RoomId) -> u64 {
        self.earlier.map_or_else(|| self.shard_of(room), |earlier| shard_of(room, earlier))
    }
}

impl From<u64> for Layout {
    fn from(shards: u64) -> Self {
        Self { shards, earlier: None }
    }
}

impl FromStr for Layout {
    type Err = InvalidLayout;

    /// Reads `16`, or `16-64` after a change from 16 to 64.
    fn from_str(text: &str) -> Result<Self, InvalidLayout> {
        let parse = |text: &str| {
            text.trim().parse().ok().filter(|shards| (1..=MOST_SHARDS).contains(shards)).ok_or(InvalidLayout)
        };
        match text.split_once('-') {
            None => Ok(parse(text)?.into()),
            Some((earlier, shards)) => {
                let (earlier, shards) = (parse(earlier)?, parse(shards)?);
                if earlier < shards {
                    Ok(Self { shards, earlier: Some(earlier) })
                } else {
                    Err(InvalidLayout)
                }
            }
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.earlier {
            Some(earlier) => write!(f, "{earlier}-{}", self.shards),
            None => self.shards.fmt(f),
        }
    }
}

impl Serialize for Layout {
    /// Writes the number of shards, which is all that scripts need to know.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.shards)
    }
}

/// The key of a shard's deadlines, from which scripts derive all other keys of the shard, and the channels.
pub fn deadlines_key(keyspace: &Keyspace, shard: u64) -> String {
    keyspace.key(shard, "deadlines")
}

/// The key that locks a room's definition during a change.
pub(crate) fn revising_key(keyspace: &Keyspace, shard: u64, room: &RoomId) -> String {
    keyspace.key(shard, format_args!("revising:{room}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(id: &str) -> RoomId {
        RoomId::new(id).unwrap()
    }

    #[test]
    fn rooms_spread_over_all_shards() {
        let mut rooms_in = [0; 16];
        for n in 0..1600 {
            rooms_in[Layout::from(16).shard_of(&room(&format!("group-{n}"))) as usize] += 1;
        }
        assert!(rooms_in.iter().all(|&rooms| rooms > 50), "{rooms_in:?}");
    }

    #[test]
    fn a_shard_never_changes_between_releases() {
        assert_eq!(Layout::from(16).shard_of(&room("algebra")), 6);
        assert_eq!(deadlines_key(&Keyspace::default(), 6), "rollcall:{6}:deadlines");
    }

    #[test]
    fn after_a_change_the_earlier_shard_decides() {
        let layout: Layout = "16-64".parse().unwrap();
        for id in ["algebra", "biology", "chemistry"] {
            assert_eq!(layout.shard_of(&room(id)), Layout::from(64).shard_of(&room(id)));
            assert_eq!(layout.deciding_shard_of(&room(id)), Layout::from(16).shard_of(&room(id)));
            assert_eq!(Layout::from(16).deciding_shard_of(&room(id)), Layout::from(16).shard_of(&room(id)));
        }
        assert_eq!((layout.shards(), layout.to_string()), (64, "16-64".to_owned()));
    }

    #[test]
    fn the_number_of_shards_only_grows() {
        for text in ["", "0", "4097", "-1", "64-16", "16-16", "16-", "1-2-3", "16-4097", "x"] {
            assert_eq!(text.parse::<Layout>(), Err(InvalidLayout), "{text:?}");
        }
    }
}

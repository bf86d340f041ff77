//! The behavior profiles of virtual users, and their random choices.

use fastrand::Rng;

/// A behavior profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behavior {
    /// Joins, stays, and mostly leaves before closing.
    Steady,
    /// Joins one room after the other on one socket.
    RoomSwitcher,
    /// Loses its connection, and reconnects or does not.
    Unstable,
    /// Reads only at intervals.
    SlowReader,
    /// Sends many requests at once.
    Flooder,
    /// Sends malformed messages.
    Malformed,
}

/// How a virtual user ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// Leaves the room and closes the socket.
    Leave,
    /// Drops the connection without a close.
    Drop,
    /// Keeps the connection open, and neither reads nor writes.
    Silence,
}

/// How a virtual user continues after losing its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reconnect {
    /// Joins with its resume token through another bridge.
    WithToken,
    /// Joins without its resume token.
    WithoutToken,
    /// Never comes back; a new user takes its place.
    AsNewUser,
}

impl Behavior {
    /// Picks a profile: of a hundred virtual users, 40 are steady, 20 switch rooms, 25 are unstable, and 5 have each
    /// of the others.
    pub fn pick(rng: &mut Rng) -> Self {
        match rng.u8(..100) {
            0..40 => Self::Steady,
            40..60 => Self::RoomSwitcher,
            60..85 => Self::Unstable,
            85..90 => Self::SlowReader,
            90..95 => Self::Flooder,
            _ => Self::Malformed,
        }
    }

    /// Picks how the next connection ends.
    pub fn pick_departure(self, rng: &mut Rng) -> Departure {
        match (self, rng.u8(..10)) {
            (Self::RoomSwitcher, _) | (Self::Steady, 0..8) => Departure::Leave,
            (Self::Steady, _) | (Self::Unstable, 0..6) => Departure::Drop,
            (Self::Unstable, _) => Departure::Silence,
            (_, 0..5) => Departure::Leave,
            _ => Departure::Drop,
        }
    }
}

impl Reconnect {
    /// Picks one.
    pub fn pick(rng: &mut Rng) -> Self {
        match rng.u8(..20) {
            0..10 => Self::WithToken,
            10..17 => Self::WithoutToken,
            _ => Self::AsNewUser,
        }
    }
}

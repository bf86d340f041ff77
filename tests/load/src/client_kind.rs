//! Which kinds of clients there are.

use fastrand::Rng;

/// A kind of client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientKind {
    /// Comes, stays and mostly leaves properly.
    Steady,
    /// Goes from room to room on one socket.
    Restless,
    /// Loses its connections, and comes back or not.
    Unlucky,
    /// Reads only now and then.
    Slow,
    /// Asks many times at once.
    Pushy,
    /// Says what makes no sense.
    Babbling,
}

/// How a client goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parting {
    /// It has left the room and closes the socket.
    Properly,
    /// The connection breaks.
    WithoutAWord,
    /// The connection stays open, and nobody is there.
    Silently,
}

/// How a client that has lost its connection comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Return {
    /// With its resume token, through another bridge.
    WithToken,
    /// Without it.
    Empty,
    /// Not at all; somebody else comes.
    Never,
}

impl ClientKind {
    /// Any of them: of a hundred clients, 40 are steady, 20 restless, 25 unlucky, and 5 each of the others.
    pub fn any(rng: &mut Rng) -> Self {
        match rng.u8(..100) {
            0..40 => Self::Steady,
            40..60 => Self::Restless,
            60..85 => Self::Unlucky,
            85..90 => Self::Slow,
            90..95 => Self::Pushy,
            _ => Self::Babbling,
        }
    }

    /// How it goes this time.
    pub fn parting(self, rng: &mut Rng) -> Parting {
        match (self, rng.u8(..10)) {
            (Self::Restless, _) | (Self::Steady, 0..8) => Parting::Properly,
            (Self::Steady, _) | (Self::Unlucky, 0..6) => Parting::WithoutAWord,
            (Self::Unlucky, _) => Parting::Silently,
            (_, 0..5) => Parting::Properly,
            _ => Parting::WithoutAWord,
        }
    }
}

impl Return {
    /// Any of them.
    pub fn any(rng: &mut Rng) -> Self {
        match rng.u8(..20) {
            0..10 => Self::WithToken,
            10..17 => Self::Empty,
            _ => Self::Never,
        }
    }
}

//! The time that passes for leases and grace periods: not while the shard is paused.

use crate::{
    ids::{CHARGED, MAX_SILENCE, Time},
    lease::Leases,
};

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Clock {
    /// When a script last ran, as far as recorded; none before the first lease.
    pub ran_at: Option<Time>,
    /// The sum of all pauses.
    pub paused: Time,
}

impl Clock {
    /// The first lease of the shard starts the clock.
    pub fn start(&mut self, now: Time) {
        self.ran_at.get_or_insert(now);
    }

    /// Adds a long time since the last call to the pauses, and prolongs leases that the pause cut short.
    pub fn run(&mut self, leases: &mut Leases, now: Time) {
        let Some(ran_at) = self.ran_at else { return };
        let silence = now - ran_at;
        if silence > MAX_SILENCE {
            let pause = silence - CHARGED;
            leases.prolong(ran_at, pause);
            self.paused += pause;
        }
        if silence >= CHARGED / 5 {
            self.ran_at = Some(now);
        }
    }
}

//! What has happened, by the replies to calls and by the attendance.

use super::call::{Reply, Stays};

/// Counts of a whole run.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Joins that began a stay.
    pub entered: u64,
    /// Joins that continued a stay.
    pub recovered: u64,
    /// Leaves.
    pub left: u64,
    /// Lost connections that a bridge reported.
    pub lost: u64,
    /// Lost connections that the killed bridge did not report.
    pub lost_with_bridge: u64,
    /// How often a connected member has to hear of an event of another member.
    pub told: u64,
    /// Heartbeats of bridges, each with a script per shard.
    pub heartbeats: u64,
    /// Scripts of sweeps.
    pub sweeps: u64,
    /// Sessions whose attendance was read.
    pub attendances: u64,
    /// What the attendance says.
    pub stays: Stays,
}

impl Counts {
    /// Adds what a call has done.
    pub fn add(&mut self, reply: &Reply) {
        match reply {
            Reply::Joined { is_recovered: true, .. } => self.recovered += 1,
            Reply::Joined { .. } => self.entered += 1,
            Reply::Left => self.left += 1,
            Reply::Disconnected(_) => self.lost += 1,
            Reply::Heartbeat(_) => self.heartbeats += 1,
            Reply::Swept { scripts, .. } => self.sweeps += scripts,
            Reply::Attendance(stays) => {
                self.attendances += 1;
                self.stays.left += stays.left;
                self.stays.grace_expired += stays.grace_expired;
                self.stays.ended += stays.ended;
                self.stays.other += stays.other;
            }
        }
    }

    /// The events of members: joins, leaves and lost connections.
    pub fn events(&self) -> u64 {
        self.entered + self.recovered + self.left + self.lost
    }

    /// Every stay that ended in one of the ways that the simulation has.
    pub fn stays_ended(&self) -> u64 {
        self.stays.left + self.stays.grace_expired + self.stays.ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_and_stays_are_counted_by_kind() {
        let mut counts = Counts::default();
        for reply in [
            Reply::Joined { member: 0, is_recovered: false },
            Reply::Disconnected(0),
            Reply::Joined { member: 0, is_recovered: true },
            Reply::Left,
            Reply::Heartbeat(1),
            Reply::Swept { shard: 0, scripts: 3, due_in_ms: None },
            Reply::Attendance(Stays { left: 1, grace_expired: 2, ended: 4, other: 8 }),
            Reply::Attendance(Stays { ended: 1, ..Stays::default() }),
        ] {
            counts.add(&reply);
        }
        assert_eq!((counts.entered, counts.recovered, counts.lost, counts.left), (1, 1, 1, 1));
        assert_eq!((counts.heartbeats, counts.sweeps, counts.attendances), (1, 3, 2));
        assert_eq!((counts.events(), counts.stays_ended(), counts.stays.other), (4, 8, 8));
    }
}

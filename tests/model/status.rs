//! The rules of what members say about themselves. The model keeps everything that a member has said, and adds up times
//! only when somebody asks.

use std::collections::BTreeMap;

use rollcall_protocol::{ErrorCode, command::Feature, status::Status};

use crate::{
    event::{EventKind, Recipients},
    history::History,
    ids::{EntryId, RoomNo, STATUS_BURST, STATUS_INTERVAL, Time, User},
    live::{CommandId, Limited, Live, Member},
};

/// What a member says about themselves.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct About {
    pub status: Option<Status>,
    pub goal: Option<&'static str>,
}

/// A change of a member's own status and goal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StatusCommand {
    pub room: RoomNo,
    /// The member who sends it, and the connection.
    pub by: (User, EntryId),
    pub id: CommandId,
    /// None leaves the status as it is.
    pub status: Option<Option<Status>>,
    /// None leaves the goal as it is.
    pub goal: Option<Option<&'static str>>,
}

/// The ack of a change.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusAck {
    pub member: Member,
    pub epoch: u64,
    pub seq: u64,
    pub now: Time,
    /// Whether the change had been applied before.
    pub is_repeated: bool,
}

impl Member {
    pub fn about(&self) -> About {
        self.said.last().map(|(_, about)| *about).unwrap_or_default()
    }

    /// How long the member has had which status with a connection, until the given time.
    pub fn status_times(&self, until: Time) -> BTreeMap<Status, Time> {
        let mut times = BTreeMap::new();
        for (index, (from, about)) in self.said.iter().enumerate() {
            let to = self.said.get(index + 1).map_or(until, |(next, _)| *next);
            let absences = self.absences.iter().copied();
            let absent: Time =
                absences.map(|(lost, back)| back.min(to).saturating_sub(lost.max(*from))).sum();
            if let Some(status) = about.status {
                *times.entry(status).or_default() += to - from - absent;
            }
        }
        times
    }
}

impl Live {
    pub fn update_status(
        &mut self,
        history: &mut History,
        command: &StatusCommand,
        now: Time,
    ) -> Result<StatusAck, ErrorCode> {
        let (user, entry) = command.by;
        let index = self.index_of(user).filter(|&index| self.members[index].find_entry(entry).is_some());
        let index = index.ok_or(ErrorCode::NotInRoom)?;
        if !self.terms.features.contains(&Feature::Status) {
            return Err(ErrorCode::FeatureOff);
        }
        let before = self.members[index].about();
        let about = About {
            status: command.status.unwrap_or(before.status),
            goal: command.goal.unwrap_or(before.goal),
        };
        let is_repeated = self.has_applied(Some(user), command.id);
        if !is_repeated && about != before {
            self.limit(Limited::Status(user), now, STATUS_BURST, STATUS_INTERVAL)?;
            self.remember(Some(user), command.id, now);
            self.members[index].said.push((now, about));
            let person = self.members[index].person;
            self.publish(history, Recipients::Everybody, EventKind::MemberUpdated { person, about, now });
        }
        let member = self.members[index].clone();
        Ok(StatusAck { member, epoch: self.epoch, seq: self.seq, now, is_repeated })
    }
}

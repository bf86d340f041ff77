//! The calls that bridges make, and runs of them through the rules and the scripts of the app.

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use rollcall_protocol::{
    RoomId, UserId,
    attendance::{Attendance, Ending},
    definition::{SessionDefinition, StoredDefinition},
    event::{Heartbeat, Join, Membership},
};
use rollcall_rooms::{Error, Rooms, Settings, definitions::DefinitionSource};

use super::{
    bridges::Bridges,
    calendar::Second,
    crowd::{BridgeNo, MemberNo},
    names,
    nodes::Router,
    timetable::{RoomNo, Session},
};

/// When the simulation begins, in milliseconds since 1970. Ahead of Redis's own clock, by which keys expire.
const BEGINNING_MS: u64 = 4_000_000_000_000;

/// The end of a member's connection.
#[derive(Debug)]
pub struct Goodbye {
    /// Who it is.
    pub membership: Membership,
    /// The bridge that has no connection in this room any more.
    pub unsubscribes: Option<(BridgeNo, RoomNo)>,
}

/// A call to the app.
#[derive(Debug)]
pub enum Call {
    /// A member enters, through a bridge that may have to subscribe to the room first.
    Join { member: MemberNo, join: Box<Join>, subscribes: Option<(BridgeNo, RoomNo)> },
    /// A member leaves.
    Leave(Goodbye),
    /// The connection of a member is lost.
    Disconnect(MemberNo, Goodbye),
    /// A bridge is alive.
    Heartbeat(BridgeNo),
    /// Something may be due in a shard.
    Sweep(u64),
    /// The study service reads an attendance. The bridges have closed their connections in the room.
    ReadAttendance { room: RoomNo, holders: Vec<BridgeNo> },
}

/// What a call has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// A member is in the room.
    Joined { member: MemberNo, is_recovered: bool },
    /// A member has left.
    Left,
    /// The grace period of a member has begun.
    Disconnected(MemberNo),
    /// The lease of a bridge is prolonged in all shards.
    Heartbeat(BridgeNo),
    /// A shard is settled, by so many scripts.
    Swept { shard: u64, scripts: u64, due_in_ms: Option<u64> },
    /// The stays of a session.
    Attendance(Stays),
}

/// The stays of a session, by their ends.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Stays {
    /// The member left.
    pub left: u64,
    /// The member did not come back in time.
    pub grace_expired: u64,
    /// The session ended.
    pub ended: u64,
    /// None of these.
    pub other: u64,
}

impl From<&Attendance> for Stays {
    fn from(attendance: &Attendance) -> Self {
        let mut stays = Self::default();
        for stay in attendance.attendees.iter().flat_map(|attendee| &attendee.stays) {
            let number = match stay.ending {
                Some(Ending::Left) => &mut stays.left,
                Some(Ending::GraceExpired) => &mut stays.grace_expired,
                Some(Ending::Ended) => &mut stays.ended,
                Some(Ending::Removed) | None => &mut stays.other,
            };
            *number += 1;
        }
        stays
    }
}

/// The settings of a deployment at a second.
pub fn settings_at(now: Second, shards: u64) -> Settings {
    Settings { shards: shards.into(), now: Some(milliseconds_at(now)), ..Settings::default() }
}

fn milliseconds_at(second: Second) -> u64 {
    BEGINNING_MS + u64::from(second) * 1000
}

/// The sessions as tokens define them: without a store, and known to each join.
struct Definitions<'a>(&'a [Session]);

impl DefinitionSource for Definitions<'_> {
    const HAS_REVISIONS: bool = false;

    async fn find(&self, room: &RoomId, _: &UserId) -> Result<Option<StoredDefinition>, Error> {
        let session = names::room_number(room).and_then(|room| self.0.get(room as usize));
        Ok(session.map(|session| StoredDefinition {
            revision: 0,
            definition: SessionDefinition::until(milliseconds_at(session.ends_at)),
        }))
    }
}

/// The app at one moment, and the bridges.
pub struct Service<'a> {
    /// The rules, with the time of this moment.
    pub rooms: Rooms<Router>,
    /// The bridges that listen.
    pub bridges: &'a Bridges,
    /// All sessions.
    pub sessions: &'a [Session],
}

impl Service<'_> {
    /// Makes a call. No call of the simulation may be refused.
    pub async fn perform(&self, call: Call) -> Result<Reply> {
        Ok(match call {
            Call::Join { member, join, subscribes } => {
                if let Some((bridge, room)) = subscribes {
                    self.bridges.subscribe(bridge, room).await?;
                }
                let joined = self.rooms.join(&Definitions(self.sessions), &join).await.context("join")?;
                Reply::Joined { member, is_recovered: joined.recovered }
            }
            Call::Leave(Goodbye { membership, unsubscribes }) => {
                self.rooms.leave(&membership).await.context("leave")?;
                self.unsubscribe(unsubscribes).await?;
                Reply::Left
            }
            Call::Disconnect(member, Goodbye { membership, unsubscribes }) => {
                self.rooms.disconnect(&membership).await.context("disconnect")?;
                self.unsubscribe(unsubscribes).await?;
                Reply::Disconnected(member)
            }
            Call::Heartbeat(bridge) => {
                self.heartbeat(bridge, false).await?;
                Reply::Heartbeat(bridge)
            }
            Call::Sweep(shard) => self.sweep(shard).await?,
            Call::ReadAttendance { room, holders } => {
                try_join_all(holders.into_iter().map(|bridge| self.bridges.unsubscribe(bridge, room)))
                    .await?;
                let attendance =
                    self.rooms.attendance(&names::room(room)?, &[]).await.context("attendance")?;
                Reply::Attendance(Stays::from(&attendance))
            }
        })
    }

    /// Prolongs or ends the lease of a bridge in all shards.
    pub async fn heartbeat(&self, bridge: BridgeNo, is_leaving: bool) -> Result<()> {
        let heartbeat = Heartbeat { node_id: names::node(bridge)?, is_leaving };
        let first = self.rooms.heartbeat(0, &heartbeat).await.context("heartbeat")?;
        let others = (1..first.shards.unwrap_or(1)).map(|shard| self.rooms.heartbeat(shard, &heartbeat));
        try_join_all(others).await.context("heartbeat")?;
        Ok(())
    }

    /// Settles a shard until nothing is due in it.
    pub async fn sweep(&self, shard: u64) -> Result<Reply> {
        let mut scripts = 0;
        loop {
            let swept = self.rooms.sweep(shard).await.context("sweep")?;
            scripts += 1;
            if !swept.more {
                return Ok(Reply::Swept { shard, scripts, due_in_ms: swept.due_in_ms });
            }
        }
    }

    async fn unsubscribe(&self, key: Option<(BridgeNo, RoomNo)>) -> Result<()> {
        match key {
            Some((bridge, room)) => self.bridges.unsubscribe(bridge, room).await,
            None => Ok(()),
        }
    }
}

//! What operators do with live rooms.

use rollcall_protocol::{
    ErrorCode, Refusal, RoomId, UserId,
    api::{LiveRoom, LiveRooms, Notice},
    attendance::Attendance,
    client::Done,
    id,
    shard::shard_of,
    status::Status,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Rooms;
use crate::{
    Error,
    attendance::{self, AttendeeRecord},
    redis::Redis,
    script,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AttendanceCall<'a> {
    #[serde(serialize_with = "id::as_text")]
    room_id: &'a RoomId,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttendancePage {
    attendees: Vec<AttendeeRecord>,
    next: Option<serde_json::Value>,
    handed_to: Option<u64>,
}

#[derive(Serialize)]
struct ListCall {
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    limit: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MembersCall<'a> {
    room_id: &'a RoomId,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<MemberPosition>,
    limit: u32,
}

/// The position of a member in the order of entering a session.
#[derive(Serialize)]
struct MemberPosition {
    epoch: u64,
    position: u64,
}

impl MemberPosition {
    fn parse(cursor: &str) -> Result<Self, Refusal> {
        let numbers = cursor.split_once(':').and_then(|(epoch, position)| {
            Some(Self { epoch: epoch.parse().ok()?, position: position.parse().ok()? })
        });
        numbers.ok_or_else(|| Refusal::because(ErrorCode::Malformed, "after is not from a page of members"))
    }
}

impl<R: Redis> Rooms<R> {
    /// Reads a room and a page of its members. `after` is the `next` of the previous page. Refuses with `NOT_LIVE` if no
    /// session is live.
    pub async fn members(
        &self,
        room: &RoomId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Box<RawValue>, Error> {
        let after = after.map(MemberPosition::parse).transpose()?;
        let call = MembersCall { room_id: room, after, limit };
        self.run_on_room(&script::MEMBERS, room, &call).await
    }

    /// Lists a page of live rooms. `after` is the `next` of the previous page.
    pub async fn list(&self, after: Option<&str>, limit: u32) -> Result<LiveRooms, Error> {
        let malformed = || Refusal::because(ErrorCode::Malformed, "after is not from a page of rooms");
        let (mut shard, mut after) = match after {
            None => (0, None),
            Some(cursor) => {
                let (shard, id) = cursor.split_once(':').ok_or_else(malformed)?;
                (shard.parse().map_err(|_| malformed())?, Some(id.to_owned()))
            }
        };
        let mut rooms: Vec<LiveRoom> = Vec::new();
        let shards = self.count_shards().await?;
        let mut next = None;
        while shard < shards && rooms.len() < limit as usize {
            let left = limit - u32::try_from(rooms.len()).unwrap_or(limit);
            let call = ListCall { after: after.take(), limit: left };
            rooms.extend(self.run::<Vec<LiveRoom>>(&script::LIST, shard, &call).await?);
            if rooms.len() == limit as usize {
                next = rooms.last().map(|room| format!("{shard}:{}", room.id));
            }
            shard += 1;
        }
        Ok(LiveRooms { rooms, next })
    }

    /// Removes a member, who may enter again if the definition still admits them. Refuses with `NOT_LIVE` if no session is
    /// live, and with `NO_SUCH_MEMBER` if the user is not in the room.
    pub async fn kick(&self, room: &RoomId, user: &UserId) -> Result<Done, Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct KickCall<'a> {
            #[serde(serialize_with = "id::as_text")]
            room_id: &'a RoomId,
            #[serde(serialize_with = "id::as_text")]
            user_id: &'a UserId,
        }
        self.run_on_room(&script::KICK, room, &KickCall { room_id: room, user_id: user }).await
    }

    /// Sends a notice to all members of a room. Refuses with `NOT_LIVE` if no session is live.
    pub async fn notify(&self, room: &RoomId, notice: &Notice) -> Result<Done, Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct NoticeCall<'a> {
            #[serde(serialize_with = "id::as_text")]
            room_id: &'a RoomId,
            text: &'a str,
        }
        let call = NoticeCall { room_id: room, text: &notice.text };
        self.run_on_room(&script::NOTICE, room, &call).await
    }

    /// Reads the attendance of a room: first where the room lay before, if it may have lain elsewhere. The times of the
    /// excluded statuses do not count as study.
    pub async fn attendance(&self, room: &RoomId, excluded: &[Status]) -> Result<Attendance, Error> {
        let shard = self.layout.deciding_shard_of(room);
        let (records, handed_to) = self.read_attendance(room, shard).await?;
        let new_shard = shard_of(room, handed_to.unwrap_or_default().max(self.layout.shards()));
        let later = if new_shard == shard { vec![] } else { self.read_attendance(room, new_shard).await?.0 };
        Ok(attendance::summarize(attendance::merge(records, later), excluded))
    }

    /// Reads all pages. A change between two pages may be in the later one only. Returns also among how many shards the
    /// room lies if this shard has handed it over.
    async fn read_attendance(
        &self,
        room: &RoomId,
        shard: u64,
    ) -> Result<(Vec<AttendeeRecord>, Option<u64>), Error> {
        let (mut records, mut after) = (Vec::new(), None);
        loop {
            let call = AttendanceCall { room_id: room, after };
            let page: AttendancePage = self.run(&script::ATTENDANCE, shard, &call).await?;
            records.extend(page.attendees);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok((attendance::unify(records), page.handed_to)),
            }
        }
    }
}

//! What can happen to a room. Each use case is one run of one script.

use rollcall_protocol::{
    EntryId, ErrorCode, NodeId, Refusal, ResumeHash, RoomId, UserId,
    api::{LiveRoom, LiveRooms, Notice},
    client::{Done, Joined, Profile},
    definition::{Duplicates, StoredDefinition},
    event::{Heartbeat, Join, Lease, Membership, Read, RoomSnapshot},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{
    Failure, Settings,
    attendance::{Attendance, Stay},
    directory::{self, Directory},
    redis::{self, Redis},
    script::{self, Script},
    shard,
};

/// How many rooms one run of the sweep settles per shard before it lets others have their turn.
const SWEEP_BATCH: u32 = 100;

/// How often a join goes back to the definition when the room goes by another revision.
const READINGS: usize = 3;

/// All rooms, behind one Redis.
pub struct Rooms<R> {
    redis: R,
    shards: u64,
    settings_json: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JoinCall<'a> {
    room_id: &'a RoomId,
    profile: &'a Profile,
    entry_id: &'a EntryId,
    node_id: &'a NodeId,
    resume_hash: &'a ResumeHash,
    #[serde(skip_serializing_if = "Option::is_none")]
    resumes: Option<&'a ResumeHash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<&'a EntryId>,
    terms: Terms<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoomCall<'a> {
    pub(crate) room_id: &'a RoomId,
}

#[derive(Serialize)]
struct ListCall {
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    limit: u32,
}

/// What a definition says of the room itself.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Terms<'a> {
    revision: u64,
    end_at: u64,
    leader_id: &'a UserId,
    duplicates: Duplicates,
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity: Option<u32>,
}

impl<'a> From<&'a StoredDefinition> for Terms<'a> {
    fn from(StoredDefinition { revision, definition }: &'a StoredDefinition) -> Self {
        Self {
            revision: *revision,
            end_at: definition.end_at,
            leader_id: &definition.leader_id,
            duplicates: definition.duplicates,
            capacity: definition.capacity,
        }
    }
}

/// What a script answered.
enum Answer<T> {
    Done(T),
    /// The room goes by another revision of its definition.
    Revision(u64),
}

/// What a sweep of one shard did.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Swept {
    /// How many rooms were due.
    pub settled: u32,
    /// By how many milliseconds the first of them was overdue.
    pub late_ms: u64,
    /// Whether more are due already.
    pub more: bool,
    /// In how many milliseconds the shard is next due.
    pub due_in_ms: Option<u64>,
}

impl<R: Redis> Rooms<R> {
    /// All rooms, behind the given Redis.
    pub fn new(redis: R, settings: &Settings) -> Result<Self, Failure> {
        Ok(Self { redis, shards: settings.shards, settings_json: to_json(settings)? })
    }

    /// Enters a user into a room, or brings them back within their grace period.
    pub async fn join(&self, directory: &impl Directory, join: &Join) -> Result<Joined, Failure> {
        for _ in 0..READINGS {
            let session = directory::admit(directory, &join.room_id, &join.profile.user_id).await?;
            match self.enter(&session, join).await? {
                Answer::Done(joined) => return Ok(joined),
                // Whoever changed the definition has not come to the room yet, or never will.
                Answer::Revision(known) if known < session.revision => {
                    self.apply(&join.room_id, &session).await?;
                }
                // What was read has been changed since.
                Answer::Revision(_) => {}
            }
        }
        Err(Failure::Unavailable(format!(
            "room {} goes by a newer definition than the store's",
            join.room_id
        )))
    }

    async fn enter(&self, session: &StoredDefinition, join: &Join) -> Result<Answer<Joined>, Failure> {
        let call = JoinCall {
            room_id: &join.room_id,
            profile: &join.profile,
            entry_id: &join.entry_id,
            node_id: &join.node_id,
            resume_hash: &join.resume_hash,
            resumes: join.resumes.as_ref(),
            replaces: join.replaces.as_ref(),
            terms: session.into(),
        };
        self.ask(&script::JOIN, self.shard_of(&join.room_id), &call).await
    }

    /// Takes a member out of a room for good.
    pub async fn leave(&self, membership: &Membership) -> Result<Done, Failure> {
        self.run(&script::LEAVE, self.shard_of(&membership.room_id), membership).await
    }

    /// Starts the grace period of a member whose connection was lost.
    pub async fn disconnect(&self, membership: &Membership) -> Result<Done, Failure> {
        self.run(&script::DISCONNECT, self.shard_of(&membership.room_id), membership).await
    }

    /// Reads a room, and which of a bridge's entries in it are still current.
    pub async fn read(&self, read: &Read) -> Result<RoomSnapshot, Failure> {
        self.run(&script::READ, self.shard_of(&read.room_id), read).await
    }

    /// Prolongs or ends a node's lease in one shard.
    pub async fn heartbeat(&self, shard: u64, heartbeat: &Heartbeat) -> Result<Lease, Failure> {
        self.run(&script::HEARTBEAT, shard, heartbeat).await
    }

    /// Settles a batch of rooms that are due in one shard.
    pub async fn sweep(&self, shard: u64) -> Result<Swept, Failure> {
        #[derive(Serialize)]
        struct SweepCall {
            limit: u32,
        }
        self.run(&script::SWEEP, shard, &SweepCall { limit: SWEEP_BATCH }).await
    }

    /// How things are in a room. Refuses with `NOT_LIVE` if no session is.
    pub async fn state(&self, room: &RoomId) -> Result<Box<RawValue>, Failure> {
        let read = Read { room_id: room.clone(), entries: Vec::new() };
        Ok(self.read(&read).await?.room.ok_or(ErrorCode::NotLive)?)
    }

    /// Live rooms, a page at a time. `after` is the `next` of the page before.
    pub async fn list(&self, after: Option<&str>, limit: u32) -> Result<LiveRooms, Failure> {
        let malformed = || Refusal::because(ErrorCode::Malformed, "after is not from a page of rooms");
        let (mut shard, mut after) = match after {
            None => (0, None),
            Some(cursor) => {
                let (shard, id) = cursor.split_once(':').ok_or_else(malformed)?;
                (shard.parse().map_err(|_| malformed())?, Some(id.to_owned()))
            }
        };
        let mut rooms: Vec<LiveRoom> = Vec::new();
        while shard < self.shards && rooms.len() < limit as usize {
            let left = limit - u32::try_from(rooms.len()).unwrap_or(limit);
            let call = ListCall { after: after.take(), limit: left };
            rooms.extend(self.run::<Vec<LiveRoom>>(&script::LIST, shard, &call).await?);
            shard += 1;
        }
        let next = (rooms.len() == limit as usize)
            .then(|| rooms.last())
            .flatten()
            .map(|room| format!("{}:{}", self.shard_of(&room.id), room.id));
        Ok(LiveRooms { rooms, next })
    }

    /// Puts a member out. The session's definition may let them in again.
    pub async fn kick(&self, room: &RoomId, user: &UserId) -> Result<Done, Failure> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct KickCall<'a> {
            room_id: &'a RoomId,
            user_id: &'a UserId,
        }
        self.run(&script::KICK, self.shard_of(room), &KickCall { room_id: room, user_id: user }).await
    }

    /// Says something to everybody in a room. Refuses with `NOT_LIVE` if nobody would hear it.
    pub async fn notify(&self, room: &RoomId, notice: &Notice) -> Result<Done, Failure> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct NoticeCall<'a> {
            room_id: &'a RoomId,
            text: &'a str,
        }
        let call = NoticeCall { room_id: room, text: &notice.text };
        self.run(&script::NOTICE, self.shard_of(room), &call).await
    }

    /// Who was in a room, and is.
    pub async fn attendance(&self, room: &RoomId) -> Result<Attendance, Failure> {
        let stays: Vec<Stay> =
            self.run(&script::ATTENDANCE, self.shard_of(room), &RoomCall { room_id: room }).await?;
        Ok(Attendance::of(stays))
    }

    /// The numbers of all shards.
    pub fn shards(&self) -> std::ops::Range<u64> {
        0..self.shards
    }

    pub(crate) fn redis(&self) -> &R {
        &self.redis
    }

    pub(crate) fn shard_of(&self, room: &RoomId) -> u64 {
        shard::of(room, self.shards)
    }

    pub(crate) async fn run<T: DeserializeOwned>(
        &self,
        script: &Script,
        shard: u64,
        call: &impl Serialize,
    ) -> Result<T, Failure> {
        match self.ask(script, shard, call).await? {
            Answer::Done(result) => Ok(result),
            Answer::Revision(_) => Err(unreadable(script, &"a revision")),
        }
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        script: &Script,
        shard: u64,
        call: &impl Serialize,
    ) -> Result<Answer<T>, Failure> {
        let key = shard::deadlines_key(shard);
        let reply = redis::run(&self.redis, script, &key, &self.settings_json, &to_json(call)?).await?;
        let reply: Vec<&[u8]> = reply.iter().map(Vec::as_slice).collect();
        match reply.as_slice() {
            [b"OK", json] => {
                serde_json::from_slice(json).map(Answer::Done).map_err(|error| unreadable(script, &error))
            }
            [b"REVISION", json] => {
                serde_json::from_slice(json).map(Answer::Revision).map_err(|error| unreadable(script, &error))
            }
            [code] => Err(refusal_code(code).map_err(|error| unreadable(script, &error))?.into()),
            _ => Err(unreadable(script, &"neither a result nor a code")),
        }
    }
}

fn refusal_code(code: &[u8]) -> Result<ErrorCode, serde_json::Error> {
    let code: &str = std::str::from_utf8(code).unwrap_or_default();
    ErrorCode::deserialize(serde_json::Value::from(code))
}

fn to_json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value)
        .map_err(|error| Failure::Unavailable(format!("cannot be written as JSON: {error}")))
}

fn unreadable(script: &Script, error: &dyn std::fmt::Display) -> Failure {
    Failure::Unavailable(format!("{}: the reply cannot be read: {error}", script.name()))
}

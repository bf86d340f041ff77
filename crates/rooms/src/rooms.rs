//! The use cases of a room. Each use case runs one script.

use rollcall_protocol::{
    EntryId, ErrorCode, Keyspace, NodeId, Refusal, ResumeHash, RoomId, UserId,
    api::{LiveRoom, LiveRooms, Notice},
    attendance::Attendance,
    client::{Done, Joined, Profile},
    definition::{Duplicates, StoredDefinition},
    event::{Heartbeat, Join, Lease, Membership, NextDue, Read, RoomSnapshot},
    id,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{
    Error, Settings,
    attendance::{self, AttendeeRecord},
    definitions::{self, DefinitionSource},
    redis::{self, Redis, RedisError},
    script::{self, Script},
    shard,
};

/// The most rooms that one run of the sweep script settles, so that a long sweep does not block Redis.
const SWEEP_BATCH: u32 = 100;

/// How often a join reads the definition while changes keep coming.
const MAX_DEFINITION_READS: usize = 3;

/// How often a call settles its room while more becomes overdue.
const MAX_SETTLES: usize = 10;

/// All rooms in one Redis.
pub struct Rooms<R> {
    redis: R,
    keyspace: Keyspace,
    shards: u64,
    settings_json: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JoinCall<'a> {
    #[serde(serialize_with = "id::as_text")]
    room_id: &'a RoomId,
    /// The room's id as clients see it.
    group_id: &'a RoomId,
    profile: &'a Profile,
    entry_id: &'a EntryId,
    node_id: &'a NodeId,
    resume_hash: &'a ResumeHash,
    #[serde(skip_serializing_if = "Option::is_none")]
    resumes: Option<&'a ResumeHash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<&'a EntryId>,
    refreshes: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    terms: Option<Terms<'a>>,
    /// The last announced change that the caller knew of when it read the definition.
    known_revision: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoomCall<'a> {
    #[serde(serialize_with = "id::as_text")]
    pub(crate) room_id: &'a RoomId,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AttendanceCall<'a> {
    #[serde(serialize_with = "id::as_text")]
    room_id: &'a RoomId,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct AttendancePage {
    attendees: Vec<AttendeeRecord>,
    next: Option<serde_json::Value>,
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

/// A definition, as a room stores it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Terms<'a> {
    revision: u64,
    end_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    leader_id: Option<&'a UserId>,
    duplicates: Duplicates,
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<Vec<&'a str>>,
}

impl<'a> From<&'a StoredDefinition> for Terms<'a> {
    fn from(StoredDefinition { revision, definition }: &'a StoredDefinition) -> Self {
        // A source without revisions knows of one user only whether the definition lists the user.
        let members = definition.members.as_ref().filter(|_| *revision > 0);
        Self {
            revision: *revision,
            end_at: definition.end_at,
            leader_id: definition.leader_id.as_ref(),
            duplicates: definition.duplicates,
            capacity: definition.capacity,
            members: members.map(|members| members.iter().map(UserId::as_str).collect()),
        }
    }
}

/// The reply of a script that did not refuse.
enum ScriptReply<T> {
    Done(T),
    /// The join of a user needs the definition.
    DefinitionNeeded(DefinitionNeeded),
}

/// Why a join needs the definition: no session is live, or a change may have reached the store and not the room.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DefinitionNeeded {
    /// The last announced change, or 0.
    revision: u64,
    is_live: bool,
}

/// The result of a sweep of one shard.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShardSweep {
    /// The number of rooms that were due.
    pub settled: u32,
    /// How long the first of them was overdue.
    pub late_ms: u64,
    /// Whether more rooms are due.
    pub more: bool,
    /// The next deadline of the shard.
    pub next_due: NextDue,
    /// The milliseconds until the shard has to be swept again.
    pub due_in_ms: Option<u64>,
}

/// The shards that a sweep has to visit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DueShards {
    /// Their numbers.
    pub shards: Vec<u64>,
    /// The next deadline of the other shards; none if there are no others.
    pub next_due: Option<NextDue>,
    /// The milliseconds until another shard has to be visited.
    pub due_in_ms: Option<u64>,
}

impl<R: Redis> Rooms<R> {
    /// All rooms in the given Redis.
    pub fn new(redis: R, settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            redis,
            keyspace: settings.keyspace.clone(),
            shards: settings.shards,
            settings_json: to_json(settings)?,
        })
    }

    /// Enters a user into a room, or resumes the user's membership within the grace period.
    ///
    /// A live room knows its definition if the source has revisions. The join then reads the source only if a change may
    /// have reached the source and not the room, and first completes that change.
    pub async fn join<S: DefinitionSource>(&self, source: &S, join: &Join) -> Result<Joined, Error> {
        let mut needed = DefinitionNeeded::default();
        if S::HAS_REVISIONS {
            match self.enter(None, 0, join).await? {
                ScriptReply::Done(joined) => return Ok(joined),
                ScriptReply::DefinitionNeeded(reply) => needed = reply,
            }
        }
        for _ in 0..MAX_DEFINITION_READS {
            let found = source.find(&join.room_id, &join.profile.user_id).await?;
            if needed.is_live {
                self.complete_change(&join.room_id, found.as_ref(), needed.revision).await?;
            }
            let stored = definitions::admit(found, &join.profile.user_id)?;
            match self.enter(Some(&stored), needed.revision, join).await? {
                ScriptReply::Done(joined) => return Ok(joined),
                ScriptReply::DefinitionNeeded(reply) => needed = reply,
            }
        }
        Err(Error::Unavailable(format!("the definition of room {} changes too often", join.room_id)))
    }

    async fn enter(
        &self,
        stored: Option<&StoredDefinition>,
        known_revision: u64,
        join: &Join,
    ) -> Result<ScriptReply<Joined>, Error> {
        let call = JoinCall {
            room_id: &join.room_id,
            group_id: group_id(join),
            profile: &join.profile,
            entry_id: &join.entry_id,
            node_id: &join.node_id,
            resume_hash: &join.resume_hash,
            resumes: join.resumes.as_ref(),
            replaces: join.replaces.as_ref(),
            refreshes: join.refreshes,
            terms: stored.map(Terms::from),
            known_revision,
        };
        self.call(&script::JOIN, self.shard_of(&join.room_id), &call).await
    }

    /// Removes a member who leaves for good.
    pub async fn leave(&self, membership: &Membership) -> Result<Done, Error> {
        self.run(&script::LEAVE, self.shard_of(&membership.room_id), membership).await
    }

    /// Starts the grace period of a member whose connection was lost.
    pub async fn disconnect(&self, membership: &Membership) -> Result<Done, Error> {
        self.run(&script::DISCONNECT, self.shard_of(&membership.room_id), membership).await
    }

    /// Reads a room, and checks which of a bridge's entries are current.
    pub async fn read(&self, read: &Read) -> Result<RoomSnapshot, Error> {
        self.run(&script::READ, self.shard_of(&read.room_id), read).await
    }

    /// Prolongs or ends a node's lease in one shard. Only the first shard ranks the nodes, because the rank is much the same
    /// in all shards.
    pub async fn heartbeat(&self, shard: u64, heartbeat: &Heartbeat) -> Result<Lease, Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct HeartbeatCall<'a> {
            #[serde(flatten)]
            heartbeat: &'a Heartbeat,
            is_ranked: bool,
        }
        self.run(&script::HEARTBEAT, shard, &HeartbeatCall { heartbeat, is_ranked: shard == 0 }).await
    }

    /// Publishes a sign of life on a node's own channel. A node that hears the sign knows that the app publishes to the
    /// Redis where the node listens.
    pub async fn signal_node(&self, node: &NodeId) -> Result<(), Error> {
        self.publish(&self.keyspace.node_channel(node), "").await
    }

    /// Tells all bridges when something is due next.
    pub async fn announce_next_due(&self, next_due: NextDue) -> Result<(), Error> {
        self.publish(&self.keyspace.due_channel(), &to_json(&next_due)?).await
    }

    async fn publish(&self, channel: &str, message: &str) -> Result<(), Error> {
        let published = self.redis.command("PUBLISH", &[channel.as_bytes(), message.as_bytes()]).await;
        published.map_err(|error| Error::Unavailable(format!("PUBLISH to {channel}: {error}")))?;
        Ok(())
    }

    /// Checks that Redis runs scripts, and that the app has all rights that scripts need.
    pub async fn check(&self) -> Result<(), Error> {
        #[derive(Serialize)]
        struct CheckCall {}
        let Done {} = self.run(&script::CHECK, 0, &CheckCall {}).await?;
        Ok(())
    }

    /// Finds the shards that a sweep has to visit, with one call for all shards. These are all shards in a cluster, which
    /// runs no script on the keys of several slots.
    pub async fn find_due(&self) -> Result<DueShards, Error> {
        #[derive(Serialize)]
        struct DueCall {}
        let keys: Vec<_> = self.shards().map(|shard| shard::deadlines_key(&self.keyspace, shard)).collect();
        let call = to_json(&DueCall {})?;
        let reply = match redis::run(&self.redis, &script::DUE, &keys, &self.settings_json, &call).await {
            Err(RedisError::Refused(_)) => {
                return Ok(DueShards { shards: self.shards().collect(), next_due: None, due_in_ms: None });
            }
            reply => reply.map_err(|error| redis::unavailable(&script::DUE, &error))?,
        };
        result_of(&script::DUE, parse(&script::DUE, &reply)?)
    }

    /// Settles some of the rooms that are due in one shard.
    pub async fn sweep(&self, shard: u64) -> Result<ShardSweep, Error> {
        #[derive(Serialize)]
        struct SweepCall {
            limit: u32,
        }
        self.run(&script::SWEEP, shard, &SweepCall { limit: SWEEP_BATCH }).await
    }

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
        self.run(&script::MEMBERS, self.shard_of(room), &call).await
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
        self.run(&script::KICK, self.shard_of(room), &KickCall { room_id: room, user_id: user }).await
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
        self.run(&script::NOTICE, self.shard_of(room), &call).await
    }

    /// Reads the attendance of a room, page by page: a change between two pages may be in the later one only.
    pub async fn attendance(&self, room: &RoomId) -> Result<Attendance, Error> {
        let (mut records, mut after) = (Vec::new(), None);
        loop {
            let call = AttendanceCall { room_id: room, after };
            let page: AttendancePage = self.run(&script::ATTENDANCE, self.shard_of(room), &call).await?;
            records.extend(page.attendees);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(attendance::summarize(records)),
            }
        }
    }

    /// Where the rooms lie in Redis.
    pub fn keyspace(&self) -> &Keyspace {
        &self.keyspace
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
    ) -> Result<T, Error> {
        result_of(script, self.call(script, shard, call).await?)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        script: &Script,
        shard: u64,
        call: &impl Serialize,
    ) -> Result<ScriptReply<T>, Error> {
        let call = to_json(call)?;
        for _ in 0..=MAX_SETTLES {
            let reply = self.run_to_end(script, shard, &call).await?;
            if reply != [b"SETTLE"] {
                return parse(script, &reply);
            }
            self.run_to_end(&script::SETTLE, shard, &call).await?;
        }
        Err(Error::Unavailable(format!("{}: the room does not settle", script.name())))
    }

    /// Runs a script until nothing is left to do. Each run settles some members more. The time limit of the use case
    /// bounds the loop.
    async fn run_to_end(&self, script: &Script, shard: u64, call: &str) -> Result<Vec<Vec<u8>>, Error> {
        let keys = [shard::deadlines_key(&self.keyspace, shard)];
        loop {
            let reply = redis::run(&self.redis, script, &keys, &self.settings_json, call).await;
            let reply = reply.map_err(|error| redis::unavailable(script, &error))?;
            if reply != [b"AGAIN"] {
                return Ok(reply);
            }
        }
    }
}

fn parse<T: DeserializeOwned>(script: &Script, reply: &[Vec<u8>]) -> Result<ScriptReply<T>, Error> {
    let reply: Vec<&[u8]> = reply.iter().map(Vec::as_slice).collect();
    match reply.as_slice() {
        [b"OK", json] => {
            serde_json::from_slice(json).map(ScriptReply::Done).map_err(|error| unreadable(script, &error))
        }
        [b"DEFINITION", json] => serde_json::from_slice(json)
            .map(ScriptReply::DefinitionNeeded)
            .map_err(|error| unreadable(script, &error)),
        [code] => Err(refusal_code(code).map_err(|error| unreadable(script, &error))?.into()),
        _ => Err(unreadable(script, &"neither a result nor a code")),
    }
}

fn result_of<T>(script: &Script, reply: ScriptReply<T>) -> Result<T, Error> {
    match reply {
        ScriptReply::Done(result) => Ok(result),
        ScriptReply::DefinitionNeeded(_) => Err(unreadable(script, &"a request for the definition")),
    }
}

/// The room's id as clients see it: as the token has it that names the session, else as the client sent it.
fn group_id(join: &Join) -> &RoomId {
    let granted = join.grant.as_ref().map(|grant| &grant.room);
    granted.filter(|room| **room == join.room_id).unwrap_or(&join.room_id)
}

fn refusal_code(code: &[u8]) -> Result<ErrorCode, serde_json::Error> {
    let code: &str = std::str::from_utf8(code).unwrap_or_default();
    ErrorCode::deserialize(serde_json::Value::from(code))
}

fn to_json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value)
        .map_err(|error| Error::Unavailable(format!("cannot be written as JSON: {error}")))
}

fn unreadable(script: &Script, error: &dyn std::fmt::Display) -> Error {
    Error::Unavailable(format!("{}: the reply cannot be read: {error}", script.name()))
}

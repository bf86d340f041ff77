//! What can happen to a room. Each use case is one run of one script.

use rollcall_protocol::{
    ErrorCode, RoomId,
    client::{Done, Joined, Profile},
    event::{Heartbeat, Join, Lease, Membership},
    session::SessionDefinition,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    Failure, Settings,
    directory::{self, Directory},
    redis::{self, Redis},
    script::{self, Script},
    shard,
};

/// How many rooms one run of the sweep settles per shard before it lets others have their turn.
const SWEEP_BATCH: u32 = 100;

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
    entry_id: &'a rollcall_protocol::EntryId,
    node_id: &'a rollcall_protocol::NodeId,
    end_at: u64,
    leader_id: &'a rollcall_protocol::UserId,
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
    /// When the shard is next due, in milliseconds since 1970.
    pub next_due_at: Option<u64>,
}

impl<R: Redis> Rooms<R> {
    /// All rooms, behind the given Redis.
    pub fn new(redis: R, settings: &Settings) -> Result<Self, Failure> {
        Ok(Self { redis, shards: settings.shards, settings_json: to_json(settings)? })
    }

    /// Enters a user into a room, or brings them back within their grace period.
    pub async fn join(&self, directory: &impl Directory, join: &Join) -> Result<Joined, Failure> {
        let session = directory::admit(directory, &join.room_id, &join.profile.user_id).await?;
        self.enter(&session, join).await
    }

    async fn enter(&self, session: &SessionDefinition, join: &Join) -> Result<Joined, Failure> {
        let call = JoinCall {
            room_id: &join.room_id,
            profile: &join.profile,
            entry_id: &join.entry_id,
            node_id: &join.node_id,
            end_at: session.end_at,
            leader_id: &session.leader_id,
        };
        self.run(&script::JOIN, self.shard_of(&join.room_id), &call).await
    }

    /// Takes a member out of a room for good.
    pub async fn leave(&self, membership: &Membership) -> Result<Done, Failure> {
        self.run(&script::LEAVE, self.shard_of(&membership.room_id), membership).await
    }

    /// Starts the grace period of a member whose connection was lost.
    pub async fn disconnect(&self, membership: &Membership) -> Result<Done, Failure> {
        self.run(&script::DISCONNECT, self.shard_of(&membership.room_id), membership).await
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

    /// The numbers of all shards.
    pub fn shards(&self) -> std::ops::Range<u64> {
        0..self.shards
    }

    fn shard_of(&self, room: &RoomId) -> u64 {
        shard::of(room, self.shards)
    }

    async fn run<T: DeserializeOwned>(
        &self,
        script: &Script,
        shard: u64,
        call: &impl Serialize,
    ) -> Result<T, Failure> {
        let key = shard::deadlines_key(shard);
        let reply = redis::run(&self.redis, script, &key, &self.settings_json, &to_json(call)?).await?;
        match reply.as_slice() {
            [ok, json] if ok == b"OK" => {
                serde_json::from_slice(json).map_err(|error| unreadable(script, &error))
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

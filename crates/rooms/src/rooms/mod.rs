//! The use cases of a room. Each use case runs one script.
//!
//! | file | what it holds |
//! |---|---|
//! | `join` | joins |
//! | `operators` | what operators do with live rooms |
//! | `command` | commands of operators |
//! | `timer` | commands to the timer of a room |
//! | `status` | what members say about themselves |
//! | `chat` | messages |
//! | `code` | code that members share |
//! | `document` | snippets that several members edit at the same time |
//! | `lobby` | how many are in which room |
//! | `sweep` | what is overdue happens although no call arrives |
//! | `call` | runs of a script, until the room is settled and nothing is left to do |
//! | `reply` | replies of scripts |

mod call;
mod chat;
mod code;
mod command;
mod document;
mod join;
mod lobby;
mod operators;
pub(crate) mod reply;
mod status;
mod sweep;
mod timer;

use std::sync::atomic::{AtomicU64, Ordering};

use rollcall_protocol::{
    Keyspace, NodeId, RoomId,
    client::Done,
    event::{Heartbeat, Lease, Membership, Read, RoomSnapshot},
    id,
};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

pub(crate) use self::join::Terms;
pub use self::sweep::{DueShards, ShardSweep};
use crate::{Error, Settings, redis::Redis, script, shard::Layout};

/// All rooms in one Redis.
pub struct Rooms<R> {
    redis: R,
    keyspace: Keyspace,
    layout: Layout,
    is_cluster: bool,
    settings_json: String,
    /// The number of shards that all instances visit for sure.
    raised_to: AtomicU64,
}

/// A node's lease in one shard.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ShardLease {
    /// The lease.
    #[serde(flatten)]
    pub lease: Lease,
    /// The number of shards in which the node needs a lease. Only the first shard says so.
    pub shards: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LayoutCall {
    #[serde(skip_serializing_if = "Option::is_none")]
    at_least: Option<u64>,
}

#[derive(Deserialize)]
struct AllShards {
    shards: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoomCall<'a> {
    #[serde(serialize_with = "id::as_text")]
    pub(crate) room_id: &'a RoomId,
}

impl<R: Redis> Rooms<R> {
    /// All rooms in the given Redis.
    pub fn new(redis: R, settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            redis,
            keyspace: settings.keyspace.clone(),
            layout: settings.shards,
            is_cluster: settings.is_cluster,
            settings_json: to_json(settings)?,
            raised_to: AtomicU64::new(0),
        })
    }

    /// Removes a member who leaves for good.
    pub async fn leave(&self, membership: &Membership) -> Result<Done, Error> {
        self.run_on_room(&script::LEAVE, &membership.room_id, membership).await
    }

    /// Starts the grace period of a member whose connection was lost.
    pub async fn disconnect(&self, membership: &Membership) -> Result<Done, Error> {
        self.run_on_room(&script::DISCONNECT, &membership.room_id, membership).await
    }

    /// Reads a room, and checks which of a bridge's entries are current.
    pub async fn read(&self, read: &Read) -> Result<RoomSnapshot, Error> {
        self.run_on_room(&script::READ, &read.room_id, read).await
    }

    /// Prolongs or ends a node's lease in one shard. Only the first shard ranks the nodes, because the rank is much the same
    /// in all shards.
    pub async fn heartbeat(&self, shard: u64, heartbeat: &Heartbeat) -> Result<ShardLease, Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct HeartbeatCall<'a> {
            #[serde(flatten)]
            heartbeat: &'a Heartbeat,
            is_first: bool,
        }
        self.run(&script::HEARTBEAT, shard, &HeartbeatCall { heartbeat, is_first: shard == 0 }).await
    }

    /// Publishes a sign of life on a node's own channel. A node that hears the sign knows that the app publishes to the
    /// Redis where the node listens.
    pub async fn signal_node(&self, node: &NodeId) -> Result<(), Error> {
        self.publish(&self.keyspace.node_channel(node), "").await
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

    /// Where the rooms lie in Redis.
    pub fn keyspace(&self) -> &Keyspace {
        &self.keyspace
    }

    /// In a cluster, the numbers of shards among which rooms may lie, also while the shards grow to so many. Without a
    /// cluster there are none, because the channels of rooms do not depend on the shard.
    pub fn channel_layouts(&self, all_shards: Option<u64>) -> Vec<u64> {
        if !self.is_cluster {
            return Vec::new();
        }
        let mut numbers: Vec<_> = self.layout.numbers().chain(all_shards).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// The number of shards among which rooms may lie. During a roll-out, other instances may know of more shards.
    async fn count_shards(&self) -> Result<u64, Error> {
        let AllShards { shards } = self.run(&script::LAYOUT, 0, &LayoutCall { at_least: None }).await?;
        Ok(shards)
    }

    /// Makes all instances visit so many shards, before a room lies in the last of them.
    async fn raise_shards(&self, shards: u64) -> Result<(), Error> {
        if self.raised_to.load(Ordering::Relaxed) < shards {
            let call = LayoutCall { at_least: Some(shards) };
            let AllShards { .. } = self.run(&script::LAYOUT, 0, &call).await?;
            self.raised_to.fetch_max(shards, Ordering::Relaxed);
        }
        Ok(())
    }

    pub(crate) fn redis(&self) -> &R {
        &self.redis
    }
}

fn to_json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(unwritable)
}

fn to_raw(value: &impl Serialize) -> Result<Box<RawValue>, Error> {
    to_raw_value(value).map_err(unwritable)
}

fn unwritable(error: serde_json::Error) -> Error {
    Error::Unavailable(format!("cannot be written as JSON: {error}"))
}

//! Runs of scripts, on the shard where a room lies.

use rollcall_protocol::{RoomId, shard::shard_of};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Rooms,
    reply::{self, Handover, Reply},
    to_json,
};
use crate::{
    Error,
    redis::{self, Redis},
    script::{self, Script},
    shard,
};

/// How often a call settles its room while more becomes overdue.
const MAX_SETTLES: usize = 10;

/// How often a call follows a room to another shard. Each time, there are more shards than before.
const MAX_HANDOVERS: usize = 5;

/// A call on a room that may lie in another shard.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RoutedCall<'a, C> {
    #[serde(flatten)]
    call: &'a C,
    /// The number of shards among which the room lies, unless it is live in this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    new_shards: Option<u64>,
    /// What the shard said that sent the caller here.
    #[serde(skip_serializing_if = "Option::is_none")]
    handover: Option<Handover>,
}

impl<R: Redis> Rooms<R> {
    /// Runs a script on a room.
    pub(crate) async fn run_on_room<T: DeserializeOwned>(
        &self,
        script: &Script,
        room: &RoomId,
        call: &impl Serialize,
    ) -> Result<T, Error> {
        let (reply, _) = self.call_room(script, room, call).await?;
        reply::result_of(script, reply)
    }

    /// Runs a script on a room, wherever the room lies. Returns the shard as well.
    pub(crate) async fn call_room<T: DeserializeOwned>(
        &self,
        script: &Script,
        room: &RoomId,
        call: &impl Serialize,
    ) -> Result<(Reply<T>, u64), Error> {
        let mut shard = self.layout.deciding_shard_of(room);
        let new_shards = (shard != self.layout.shard_of(room)).then(|| self.layout.shards());
        let mut json = match new_shards {
            None => to_json(call)?,
            Some(_) => to_json(&RoutedCall { call, new_shards, handover: None })?,
        };
        for _ in 0..=MAX_HANDOVERS {
            let reply = self.settle_and_run(script, shard, &json).await?;
            let Some(handover) = reply::parse_handover(script, &reply)? else {
                return Ok((reply::parse(script, &reply)?, shard));
            };
            self.raise_shards(handover.shards).await?;
            shard = shard_of(room, handover.shards);
            json = to_json(&RoutedCall { call, new_shards: None, handover: Some(handover) })?;
        }
        Err(Error::Unavailable(format!("{}: room {room} moves too often", script.name())))
    }

    /// Runs a script on a shard.
    pub(crate) async fn run<T: DeserializeOwned>(
        &self,
        script: &Script,
        shard: u64,
        call: &impl Serialize,
    ) -> Result<T, Error> {
        let reply = self.settle_and_run(script, shard, &to_json(call)?).await?;
        reply::result_of(script, reply::parse(script, &reply)?)
    }

    async fn settle_and_run(&self, script: &Script, shard: u64, call: &str) -> Result<Vec<Vec<u8>>, Error> {
        for _ in 0..=MAX_SETTLES {
            let reply = self.run_to_end(script, shard, call).await?;
            if reply != [b"SETTLE"] {
                return Ok(reply);
            }
            self.run_to_end(&script::SETTLE, shard, call).await?;
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

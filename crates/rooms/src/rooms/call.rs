//! Runs of scripts, on the shard where a room lies.

use rollcall_protocol::RoomId;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Rooms,
    reply::{self, Moved, Reply},
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
const MAX_MOVES: usize = 5;

/// A call on a room that may lie in another shard.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MovableCall<'a, C> {
    #[serde(flatten)]
    call: &'a C,
    /// The number of shards among which the room lies, unless it is live in this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    moves_to: Option<u64>,
    /// What the shard said that sent the caller here.
    #[serde(skip_serializing_if = "Option::is_none")]
    moved: Option<Moved>,
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
        let moves_to = (shard != self.layout.shard_of(room)).then(|| self.layout.shards());
        let mut json = match moves_to {
            None => to_json(call)?,
            Some(_) => to_json(&MovableCall { call, moves_to, moved: None })?,
        };
        for _ in 0..=MAX_MOVES {
            let reply = self.settle_and_run(script, shard, &json).await?;
            let Some(moved) = reply::parse_moved(script, &reply)? else {
                return Ok((reply::parse(script, &reply)?, shard));
            };
            self.raise_shards(moved.shards).await?;
            shard = shard::of(room, moved.shards);
            json = to_json(&MovableCall { call, moves_to: None, moved: Some(moved) })?;
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

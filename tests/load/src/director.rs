//! What happens to rooms: they end, in every way there is, and others begin; operators speak.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use fastrand::Rng;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{api::Api, world::World};

/// Longer than any run.
const LENGTH: Duration = Duration::from_secs(48 * 3600);

/// What a second connection of a user means, by a room's place.
const DUPLICATES: [&str; 3] = ["refuse", "takeover", "share"];

/// How often operators do something in some room.
const OPERATORS_PAUSE: Duration = Duration::from_secs(1);

/// Defines the first room of every place.
pub async fn open(api: &Api, world: &World) -> Result<()> {
    for place in 0..world.board.places() {
        api.define(&world.board.room(place), definition(place)?).await?;
    }
    Ok(())
}

/// Ends rooms and opens others, so that each lives for about so long, until the run is over.
pub async fn turn_rooms(api: Api, world: Arc<World>, mut rng: Rng, room_life: Duration) -> Result<()> {
    let places = world.board.places();
    let pause = room_life / u32::try_from(places)?;
    while waits(&world, pause).await {
        let place = rng.usize(..places);
        let ending = world.board.room(place);
        // Before the board shows it, as clients try it at once.
        api.define(&world.board.next_room(place), definition(place)?).await?;
        world.board.turn(place);
        match rng.u8(..3) {
            0 => api.end(&ending).await?,
            1 => api.delete(&ending).await?,
            _ => api.revise(&ending, json!({"endAt": now_ms()? + 1_000})).await?,
        }
        world.tally.rooms_ended.add();
    }
    Ok(())
}

/// Says something in some room, again and again, until the run is over.
pub async fn operate(api: Api, world: Arc<World>, mut rng: Rng) -> Result<()> {
    while waits(&world, OPERATORS_PAUSE).await {
        api.notice(&world.board.any(&mut rng), "Please mute your microphones.").await?;
    }
    Ok(())
}

/// Waits for so long. Returns whether the run goes on.
async fn waits(world: &World, pause: Duration) -> bool {
    tokio::select! {
        () = sleep(pause) => true,
        () = world.over.cancelled() => false,
    }
}

fn definition(place: usize) -> Result<Value> {
    let end_at = now_ms()? + u64::try_from(LENGTH.as_millis())?;
    Ok(json!({"endAt": end_at, "leaderId": "nobody", "duplicates": DUPLICATES[place % DUPLICATES.len()]}))
}

fn now_ms() -> Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)
}

//! What operators do: they end rooms in every way, define the next rooms, and send notices.

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

/// What a second connection of a user means, by a room's slot.
const DUPLICATES: [&str; 3] = ["refuse", "takeover", "share"];

/// How often operators do something in a random room.
const OPERATORS_PAUSE: Duration = Duration::from_secs(1);

/// Defines the first room of every slot.
pub async fn define_rooms(api: &Api, world: &World) -> Result<()> {
    for slot in 0..world.rooms.slots() {
        api.define(&world.rooms.room(slot), definition(slot)?).await?;
    }
    Ok(())
}

/// Ends rooms and defines the next ones until the run is over. A room lives for about `room_life`.
pub async fn replace_rooms(api: Api, world: Arc<World>, mut rng: Rng, room_life: Duration) -> Result<()> {
    let slots = world.rooms.slots();
    let pause = room_life / u32::try_from(slots)?;
    while waits(&world, pause).await {
        let slot = rng.usize(..slots);
        let ending = world.rooms.room(slot);
        // Comes before the room is open to clients, who try it at once.
        api.define(&world.rooms.next_room(slot), definition(slot)?).await?;
        world.rooms.replace(slot);
        match rng.u8(..3) {
            0 => api.end(&ending).await?,
            1 => api.delete(&ending).await?,
            _ => api.revise(&ending, json!({"endAt": now_ms()? + 1_000})).await?,
        }
        world.counters.rooms_ended.add();
    }
    Ok(())
}

/// Sends notices to random rooms until the run is over.
pub async fn send_notices(api: Api, world: Arc<World>, mut rng: Rng) -> Result<()> {
    while waits(&world, OPERATORS_PAUSE).await {
        api.notice(&world.rooms.any(&mut rng), "Please mute your microphones.").await?;
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

fn definition(slot: usize) -> Result<Value> {
    let end_at = now_ms()? + u64::try_from(LENGTH.as_millis())?;
    Ok(json!({"endAt": end_at, "leaderId": "nobody", "duplicates": DUPLICATES[slot % DUPLICATES.len()]}))
}

fn now_ms() -> Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)
}

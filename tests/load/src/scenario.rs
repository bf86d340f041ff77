//! What operators do during a run: they end sessions in every way there is, define new ones, and send notices.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use fastrand::Rng;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{api::Api, shared::Shared};

/// Longer than any run.
const SESSION_LENGTH: Duration = Duration::from_secs(48 * 3600);

/// What a second connection of a user means, by slot.
const DUPLICATES: [&str; 3] = ["refuse", "takeover", "share"];

const NOTICE_INTERVAL: Duration = Duration::from_secs(1);

/// Defines the first room of every slot.
pub async fn define_rooms(api: &Api, shared: &Shared) -> Result<()> {
    for slot in 0..shared.rooms.slots() {
        api.define(&shared.rooms.room(slot), definition(slot)?).await?;
    }
    Ok(())
}

/// Replaces rooms until the run ends, so that each room lives for about `room_life`.
pub async fn rotate_rooms(api: Api, shared: Arc<Shared>, mut rng: Rng, room_life: Duration) -> Result<()> {
    let slots = shared.rooms.slots();
    let interval = room_life / u32::try_from(slots)?;
    while sleep_unless_stopped(&shared, interval).await {
        let slot = rng.usize(..slots);
        let ending = shared.rooms.room(slot);
        // Defined before clients can pick it.
        api.define(&shared.rooms.next_room(slot), definition(slot)?).await?;
        shared.rooms.advance(slot);
        match rng.u8(..3) {
            0 => api.end(&ending).await?,
            1 => api.delete(&ending).await?,
            _ => api.revise(&ending, json!({"endAt": now_ms()? + 1_000})).await?,
        }
        shared.metrics.rooms_ended.add();
    }
    Ok(())
}

/// Sends notices to random rooms until the run ends.
pub async fn send_notices(api: Api, shared: Arc<Shared>, mut rng: Rng) -> Result<()> {
    while sleep_unless_stopped(&shared, NOTICE_INTERVAL).await {
        api.notice(&shared.rooms.pick(&mut rng), "Please mute your microphones.").await?;
    }
    Ok(())
}

/// Returns whether the run goes on.
async fn sleep_unless_stopped(shared: &Shared, duration: Duration) -> bool {
    tokio::select! {
        () = sleep(duration) => true,
        () = shared.stop_operators.cancelled() => false,
    }
}

fn definition(slot: usize) -> Result<Value> {
    let end_at = now_ms()? + u64::try_from(SESSION_LENGTH.as_millis())?;
    Ok(json!({"endAt": end_at, "leaderId": "nobody", "duplicates": DUPLICATES[slot % DUPLICATES.len()]}))
}

fn now_ms() -> Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)
}

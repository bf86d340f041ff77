//! How many are in which room, within the time limit.

use rollcall_protocol::{RoomId, command::Feature, lobby::RoomCounts};
use rollcall_rooms::Error;

use crate::{events, features, redis};

/// Counts the members of rooms, if the deployment has a lobby. Leaves out rooms whose shards do not answer in time.
pub async fn counts(ids: &[RoomId]) -> Result<RoomCounts, Error> {
    features::ensure(Feature::Lobby).await?;
    redis::rooms().await?.counts(ids, async |work| events::within_time_limit(work).await).await
}

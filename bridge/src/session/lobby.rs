//! How many are in which room, for a client that need not be in one.

use std::future;

use rollcall_protocol::{
    ErrorCode, Refusal, json,
    lobby::{self, RoomCounts, WatchRequest},
};
use serde_json::value::RawValue;

use super::{Outbound, Session};
use crate::lobby::Watch;

impl<O: Outbound> Session<O> {
    /// Watches rooms from now on, instead of those before. Returns how many are in each.
    pub(super) async fn watch(&mut self, payload: &RawValue) -> Result<RoomCounts, Refusal> {
        let malformed = |error: &dyn std::fmt::Display| {
            let message = format!("lobby:watch takes {{\"ids\": <a list of rooms>}}: {error}");
            Refusal::because(ErrorCode::Malformed, message)
        };
        let WatchRequest { ids } = json::from_object_str(payload.get()).map_err(|error| malformed(&error))?;
        lobby::check_rooms(&ids).map_err(|error| malformed(&error))?;
        if ids.is_empty() {
            self.watch = None;
            return Ok(RoomCounts { rooms: Vec::new(), now: None });
        }
        let (watch, counts) = self.context.lobby.watch(ids).await?;
        self.watch = Some(Box::new(watch));
        Ok(counts)
    }
}

/// Waits for changed counts of the rooms that a session watches.
pub(super) async fn next(watch: &mut Option<Box<Watch>>) -> RoomCounts {
    match watch {
        Some(watch) => watch.changed().await,
        None => future::pending().await,
    }
}

//! How many are in which room, for a client that need not be in one.

use std::future;

use rollcall_protocol::{
    ErrorCode, Refusal, json,
    lobby::{self, RoomCounts, WatchRequest},
};
use serde_json::value::RawValue;

use super::{Outbound, Session};
use crate::lobby::Watcher;

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
            self.watcher.iter_mut().for_each(|watcher| watcher.end());
            return Ok(RoomCounts { rooms: Vec::new(), now: None });
        }
        let user = &self.identity.profile.user_id;
        let watcher = self.watcher.get_or_insert_with(|| Box::new(self.context.lobby.watcher(user.clone())));
        watcher.watch(ids).await
    }
}

/// Waits for changed counts of the rooms that a session watches.
pub(super) async fn next(watcher: &mut Option<Box<Watcher>>) -> RoomCounts {
    match watcher {
        Some(watcher) => watcher.changed().await,
        None => future::pending().await,
    }
}

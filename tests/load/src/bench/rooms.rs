//! The rooms in which members meet.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use super::crowd::user_id;
use crate::api::Api;

/// How many members a room has.
pub const MEMBERS_PER_ROOM: usize = 10;

/// Longer than any run, and than the lead of the reminder.
const SESSION_LENGTH: Duration = Duration::from_secs(3 * 3600);

/// How many definitions are sent at once.
const CONCURRENT_CALLS: usize = 16;

/// Rooms with ten members each. The first member of each is the leader.
pub struct Rooms(Vec<Arc<str>>);

impl Rooms {
    /// Defines rooms for this many members.
    pub async fn define(api: &Api, prefix: &str, members: usize) -> Result<Self> {
        let end_at = (SystemTime::now().duration_since(UNIX_EPOCH)? + SESSION_LENGTH).as_millis();
        let end_at = u64::try_from(end_at)?;
        let rooms: Vec<Arc<str>> = (0..members.div_ceil(MEMBERS_PER_ROOM))
            .map(|number| format!("{prefix}-{number}").into())
            .collect();
        let calls = rooms.iter().enumerate().map(|(number, room)| {
            let leader = user_id(number * MEMBERS_PER_ROOM);
            api.define(room, json!({"endAt": end_at, "leaderId": leader, "timerBy": "anyone"}))
        });
        stream::iter(calls).buffer_unordered(CONCURRENT_CALLS).try_collect::<Vec<()>>().await?;
        Ok(Self(rooms))
    }

    /// The room of a member.
    pub fn of(&self, member: usize) -> &Arc<str> {
        &self.0[member / MEMBERS_PER_ROOM]
    }
}

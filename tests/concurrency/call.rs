//! What was asked of rooms, and what they answered.

use std::time::Duration;

use rollcall_protocol::{ErrorCode, client::Joined, event::RoomSnapshot};
use serde_json::{Value, json};

use crate::event::{Roster, number, text};

#[derive(Debug, Clone)]
pub struct Call {
    /// Both since the run began.
    pub began: Duration,
    pub finished: Duration,
    pub what: What,
}

#[derive(Debug, Clone)]
pub enum What {
    Joined {
        user: String,
        entry: String,
        ack: Ack,
    },
    JoinRefused(ErrorCode),
    /// An entry left or was lost: it is over, whether it was current or not.
    Closed {
        entry: String,
    },
    Read {
        seats: Vec<String>,
        gone: Vec<String>,
        view: Option<View>,
    },
    /// A change of the definition.
    Changed(Result<(), ErrorCode>),
    /// What must not happen, whatever the order.
    Failed(String),
}

#[derive(Debug, Clone)]
pub struct Ack {
    pub view: View,
    pub first: bool,
    pub recovered: bool,
}

/// A room as an answer shows it.
#[derive(Debug, Clone)]
pub struct View {
    pub epoch: u64,
    pub seq: u64,
    pub end_at: u64,
    pub leader: String,
    /// An empty room has none.
    pub host: Option<String>,
    pub roster: Roster,
}

impl Ack {
    pub fn of(joined: &Joined) -> Self {
        Self { view: View::read(&json!(joined)), first: joined.first, recovered: joined.recovered }
    }
}

impl View {
    fn read(data: &Value) -> Self {
        Self {
            epoch: number(&data["epoch"]),
            seq: number(&data["seq"]),
            end_at: number(&data["endAt"]),
            leader: text(&data["leaderId"]),
            host: data.get("hostId").map(text),
            roster: Roster::read(data),
        }
    }

    pub fn of(reading: &RoomSnapshot) -> Option<Self> {
        let room = reading.room.as_ref()?;
        Some(Self::read(&serde_json::from_str(room.get()).expect("JSON")))
    }
}

//! Calls to rooms, and their replies.

use std::time::Duration;

use rollcall_protocol::{ErrorCode, client::Joined, event::RoomSnapshot};
use serde_json::{Value, json};

use crate::event::{Message, Roster, number, text};

#[derive(Debug, Clone)]
pub struct Call {
    /// Time since the run began, as in `finished`.
    pub began: Duration,
    pub finished: Duration,
    pub outcome: Outcome,
}

#[derive(Debug, Clone)]
pub enum Outcome {
    Joined {
        user: String,
        entry: String,
        ack: Ack,
    },
    JoinRefused(ErrorCode),
    /// A leave or a disconnect, which closes the entry even if it was not current.
    Closed {
        entry: String,
    },
    Read {
        entries: Vec<String>,
        gone: Vec<String>,
        view: Option<View>,
    },
    /// A message, and its number, unless it was sent long ago.
    Sent {
        user: String,
        id: String,
        number: Option<u64>,
    },
    /// A page of messages.
    Messages {
        after: u64,
        messages: Vec<Message>,
        more: bool,
    },
    /// A change of the definition.
    Changed(Result<(), ErrorCode>),
    /// A failure, which must not happen in any order of calls.
    Failed(String),
}

#[derive(Debug, Clone)]
pub struct Ack {
    pub view: View,
    pub first: bool,
    pub recovered: bool,
}

/// A room as a reply shows it.
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

    pub fn of(snapshot: &RoomSnapshot) -> Option<Self> {
        let room = snapshot.room.as_ref()?;
        Some(Self::read(&serde_json::from_str(room.get()).expect("JSON")))
    }
}

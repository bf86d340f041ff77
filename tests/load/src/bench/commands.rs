//! What members do in a room, beside joining and leaving.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Result;
use serde_json::{Value, json};

use super::{
    crowd::{Crowd, Step},
    metric::{Metric, Values},
    rooms::Rooms,
    round::to_f64,
    service::Service,
    usage::Usage,
};
use crate::latencies::Latencies;

/// What each command costs.
pub type Costs = BTreeMap<Command, Values>;

/// How often every member sends each command. A user may send ten at once.
const REPEATS: usize = 3;

/// How many rooms a member watches. Those of all members are fewer than a bridge watches at most.
const WATCHED_ROOMS: usize = 5;

/// What an editor sends when its user types a letter.
const TYPED_LETTER: &str = "AQELAAQBBHRleHQBeAA=";

/// A command, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Command {
    /// Sets the timer.
    Timer,
    /// Changes the status and the goal.
    Status,
    /// Sends a message.
    Message,
    /// Reads messages.
    History,
    /// Shares a snippet.
    Snippet,
    /// Lists the snippets.
    Snippets,
    /// Changes the document that all members of the room have open.
    Edit,
    /// Watches the counts of rooms.
    Watch,
}

impl Command {
    /// All commands, in the order of the table.
    pub const ALL: [Self; 8] = [
        Self::Timer,
        Self::Status,
        Self::Message,
        Self::History,
        Self::Snippet,
        Self::Snippets,
        Self::Edit,
        Self::Watch,
    ];

    /// The event that clients send.
    pub fn event(self) -> &'static str {
        match self {
            Self::Timer => "timer:set",
            Self::Status => "member:update",
            Self::Message => "chat:send",
            Self::History => "chat:history",
            Self::Snippet => "code:share",
            Self::Snippets => "code:list",
            Self::Edit => "document:update",
            Self::Watch => "lobby:watch",
        }
    }

    /// The payload of a member the nth time, both counted from 0.
    pub fn payload(self, member: usize, repeat: usize, document: u64) -> Value {
        match self {
            Self::Timer => json!({ "mode": "countdown", "durationMs": 60_000 * (repeat + 1) }),
            Self::Status => json!({ "status": "focusing", "goal": format!("Chapter {repeat}") }),
            Self::Message => json!({ "text": "Shall we begin with the second exercise?" }),
            Self::History => json!({ "limit": 20 }),
            Self::Snippet => json!({ "text": "let mut sum = 0;\n".repeat(60), "language": "rust" }),
            Self::Snippets => json!({}),
            Self::Edit => json!({ "number": document, "update": TYPED_LETTER }),
            Self::Watch => {
                // Nobody else watches these rooms, so the bridge has to ask for each of them.
                let ids = (0..WATCHED_ROOMS).map(|room| format!("watched-{member}-{repeat}-{room}"));
                let ids: Vec<String> = ids.collect();
                json!({ "ids": ids })
            }
        }
    }
}

/// All members join, open a document of their room, send each command at once a few times, and leave.
pub async fn measure(service: &Service, crowd: &mut Crowd, rooms: &Rooms) -> Result<Costs> {
    crowd.step_in_groups(|member| Step::Join(Arc::clone(rooms.of(member)))).await?;
    crowd.settle().await;
    crowd.step_in_groups(|_| Step::ShareDocument).await?;
    crowd.settle().await;
    crowd.step_in_groups(|_| Step::OpenDocument).await?;
    let mut costs = Costs::new();
    let mut redis = service.redis().await;
    for command in Command::ALL {
        let before = Usage::read(service, &mut redis, crowd).await?;
        let (mut latencies, mut sent) = (Latencies::new()?, 0.0);
        for repeat in 0..REPEATS {
            let acks = crowd.step_together(|member| Step::Command { command, member, repeat }).await?;
            latencies.add(&acks)?;
            crowd.settle().await;
            sent += to_f64(acks.count());
        }
        let mut values = Usage::read(service, &mut redis, crowd).await?.per_event_since(&before, sent);
        values.insert(Metric::AckP99, latencies.quantile_ms(0.99));
        costs.insert(command, values);
    }
    crowd.step_in_groups(|_| Step::EndWatch).await?;
    crowd.step_in_groups(|_| Step::Leave).await?;
    crowd.settle().await;
    Ok(costs)
}

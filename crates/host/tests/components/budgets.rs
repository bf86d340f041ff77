//! What one event costs outside of its component: connections to Redis, scripts, and commands of the key-value store.
//!
//! The numbers are exact, so a change that makes an event dearer, or cheaper, changes the number here.
//! `tests/scripts/budgets.rs` has the commands of each script.

use http::StatusCode;
use rollcall_host::Host;
use rollcall_protocol::event::{AppEvent, Disconnect, EntryRef, Heartbeat, Leave, Membership, Read};

use crate::{
    definitions::define,
    support::{Counts, RedisServer, connect, count, count_store, rollcall_with_store, send, send_join, text},
};

const SHARDS: u64 = 16;

#[derive(Debug, PartialEq, Eq)]
struct Cost {
    connections: u64,
    scripts: u64,
    store: u64,
}

/// Costs of events whose component has handled one before.
const COSTS: &[(&str, Cost)] = &[
    ("first join of a session", Cost { connections: 0, scripts: 2, store: 1 }),
    ("join", Cost { connections: 0, scripts: 1, store: 0 }),
    ("join that is sent again", Cost { connections: 0, scripts: 1, store: 0 }),
    ("join of a user who is not listed", Cost { connections: 0, scripts: 1, store: 0 }),
    ("read", Cost { connections: 0, scripts: 1, store: 0 }),
    ("disconnect", Cost { connections: 0, scripts: 1, store: 0 }),
    ("leave", Cost { connections: 0, scripts: 1, store: 0 }),
    ("heartbeat", Cost { connections: 0, scripts: SHARDS, store: 0 }),
];

/// The sender of events to one room.
struct Room<'a> {
    host: &'a Host,
    id: &'static str,
}

impl Room<'_> {
    fn membership(&self, user: &str) -> Membership {
        let id = |text: &str| text.parse().unwrap();
        Membership {
            room_id: self.id.parse().unwrap(),
            user_id: id(user),
            entry_id: self.entry(user).parse().unwrap(),
        }
    }

    fn entry(&self, user: &str) -> String {
        format!("{}/{user}", self.id)
    }

    async fn join(&self, user: &str) {
        let joined = send_join(self.host, self.id, user, &self.entry(user)).await;
        assert!(joined.is_ok() || user == "mallory", "{joined:?}");
    }

    async fn send(&self, event: &impl AppEvent) {
        let response = send(self.host, event, "event").await;
        assert_eq!(response.status(), StatusCode::OK, "{}", text(&response));
    }

    /// Sends one event of each kind of the table.
    async fn run(&self, mut record: impl FnMut()) {
        for user in ["kim", "ben", "ben", "mallory"] {
            self.join(user).await;
            record();
        }
        let Membership { room_id, user_id, entry_id } = self.membership("ben");
        self.send(&Read { room_id, entries: vec![EntryRef { user_id, entry_id }] }).await;
        record();
        self.send(&Disconnect(self.membership("ben"))).await;
        record();
        self.send(&Leave(self.membership("kim"))).await;
        record();
        self.send(&Heartbeat { node_id: "node".parse().unwrap(), is_leaving: false }).await;
        record();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_costs_what_the_table_says() {
    let (redis, store) = (RedisServer::start().unwrap(), RedisServer::start().unwrap());
    let host = rollcall_with_store(&redis, &store).await;
    for room in ["algebra", "botany"] {
        define(&store, room);
    }
    // Connects, and loads the scripts.
    Room { host: &host, id: "algebra" }.run(|| {}).await;

    let (mut redis, mut store) = (connect(&redis), connect(&store));
    let mut measure = || (count(&mut redis), count_store(&mut store));
    let mut before = measure();
    let mut costs = Vec::new();
    let record = || {
        let now = measure();
        let Counts { connections, scripts } = now.0.since(before.0);
        costs.push(Cost { connections, scripts, store: now.1 - before.1 });
        before = now;
    };
    Room { host: &host, id: "botany" }.run(record).await;
    let expected: Vec<&Cost> = COSTS.iter().map(|(_, cost)| cost).collect();
    let found: Vec<&Cost> = costs.iter().collect();
    let names: Vec<&str> = COSTS.iter().map(|(name, _)| *name).collect();
    assert_eq!(expected, found, "costs of {names:?}");
    host.close().await;
}

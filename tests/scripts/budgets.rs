//! The number of commands that scripts run for each kind of call.
//!
//! The numbers are exact, so a change that makes a call dearer, or cheaper, changes the number here. Where no test chooses
//! the time, each script runs one command more: `TIME`.

use rollcall_protocol::{
    chat::HistoryRequest,
    definition::SessionDefinition,
    status::{Goal, Status, StatusUpdate},
    timer::{TimerAction, TimerPlan},
};

use crate::document::first_update;
use crate::fixture::{END, Fixture, MINUTE, definition};

/// Members of the room before the call.
const SIZES: [usize; 3] = [1, 10, 50];

/// The same for all sizes. The first join of a session runs two scripts, and a change three.
const COMMANDS: &[(&str, u64)] = &[
    ("first join", 74),
    ("join", 21),
    ("join that is sent again", 11),
    ("disconnect", 18),
    ("join within the grace period", 19),
    ("join with a resume token", 20),
    ("leave", 28),
    ("leave that is sent again", 9),
    ("read", 9),
    ("timer", 21),
    ("timer as it was", 8),
    ("timer that is sent again", 8),
    ("status", 20),
    ("status as it was", 9),
    ("goal", 19),
    ("message", 25),
    ("further message", 23),
    ("message that is sent again", 9),
    ("history", 10),
    ("snippet", 28),
    ("change of a snippet", 26),
    ("snippet that is read", 13),
    ("document", 31),
    ("update of a document", 24),
    ("document that is opened", 14),
    ("heartbeat in one shard", 9),
    ("look for due shards", 34),
    ("sweep of a shard where nothing is due", 8),
    ("change of the end", 58),
    ("join of a listed user", 22),
    ("join of a user who is not listed", 8),
];

/// Counts the commands of calls to a room.
struct Meter<'a> {
    room: &'a Fixture,
    counts: Vec<(&'static str, u64)>,
}

impl Meter<'_> {
    async fn count<T>(&mut self, name: &'static str, call: impl Future<Output = T>) -> T {
        let before = self.room.count_commands().await;
        let outcome = call.await;
        self.counts.push((name, self.room.count_commands().await - before));
        outcome
    }
}

/// Counts the commands of each kind of call, in the order of the table.
async fn measure(size: usize) -> Vec<(&'static str, u64)> {
    let mut room = Fixture::start().await;
    // As in most deployments: with longer leases, scripts announce more deadlines.
    room.settings.lease_ms = 15_000;
    let room = &room;
    let mut meter = Meter { room, counts: Vec::new() };
    meter.count("first join", room.join("lea/1")).await.unwrap();
    for number in 1..size {
        room.join(&format!("user-{number}/1")).await.unwrap();
    }
    meter.count("join", room.join("kim/1")).await.unwrap();
    meter.count("join that is sent again", room.join("kim/1")).await.unwrap();
    meter.count("disconnect", room.disconnect("kim/1")).await;
    meter.count("join within the grace period", room.join("kim/2")).await.unwrap();
    meter.count("join with a resume token", room.resume("kim/3", "kim/2")).await.unwrap();
    meter.count("leave", room.leave("kim/3")).await;
    meter.count("leave that is sent again", room.leave("kim/3")).await;
    meter.count("read", room.read(&["lea/1"])).await;
    room.command("lea/1#set", TimerAction::Set(TimerPlan::Stopwatch {})).await.unwrap();
    meter.count("timer", room.command("lea/1#start", TimerAction::Start {})).await.unwrap();
    meter.count("timer as it was", room.command("lea/1#again", TimerAction::Start {})).await.unwrap();
    meter
        .count("timer that is sent again", room.command("lea/1#start", TimerAction::Start {}))
        .await
        .unwrap();
    meter.count("status", room.say("lea/1#away", Status::Away)).await.unwrap();
    meter.count("status as it was", room.say("lea/1#still", Status::Away)).await.unwrap();
    let goal = StatusUpdate { status: None, goal: Some(Goal::clean("Chapter 3").unwrap()) };
    meter.count("goal", room.update("lea/1#goal", goal)).await.unwrap();
    meter.count("message", room.write("lea/1#hello", "Hello")).await.unwrap();
    meter.count("further message", room.write("lea/1#more", "Hello")).await.unwrap();
    meter.count("message that is sent again", room.write("lea/1#hello", "Hello")).await.unwrap();
    meter.count("history", room.history("lea/1", HistoryRequest::default())).await.unwrap();
    let snippet = meter.count("snippet", room.share("lea/1#share", "x")).await.unwrap();
    meter.count("change of a snippet", room.change("lea/1#change", &snippet, "y")).await.unwrap();
    meter.count("snippet that is read", room.read_snippet("lea/1", snippet.number)).await.unwrap();
    let document = meter.count("document", room.share_together("lea/1#together", "x")).await;
    let update = first_update();
    meter.count("update of a document", room.edit("lea/1", document.number, &update)).await.unwrap();
    meter.count("document that is opened", room.open("lea/1", document.number)).await.unwrap();
    meter.count("heartbeat in one shard", room.heartbeat(false)).await;
    meter.count("look for due shards", room.find_due()).await;
    meter.count("sweep of a shard where nothing is due", room.sweep()).await;
    meter
        .count("change of the end", room.define(SessionDefinition { end_at: END + MINUTE, ..definition() }))
        .await;
    let everybody = (1..size).map(|number| format!("user-{number}")).chain(["kim".to_owned()]);
    let members = Some(everybody.map(|user| user.parse().unwrap()).collect());
    room.define(SessionDefinition { members, ..definition() }).await;
    meter.count("join of a listed user", room.join("kim/4")).await.unwrap();
    meter.count("join of a user who is not listed", room.join("mallory/1")).await.unwrap_err();
    meter.counts
}

#[tokio::test]
async fn each_call_runs_as_many_commands_as_the_table_says_in_a_room_of_any_size() {
    for size in SIZES {
        assert_eq!(measure(size).await, COMMANDS, "in a room of {size}");
    }
}

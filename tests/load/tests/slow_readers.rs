//! Clients that do not read. A thousand of them, in rooms where much is said: what they cost is bounded, they are closed
//! and can come back, and who reads misses nothing. And a few, where nothing more is said: they are lost like others.

#![expect(clippy::unwrap_used, reason = "a test, and what only it uses")]

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use futures_util::{StreamExt, TryStreamExt, future::try_join_all, stream};
use rollcall_load::{
    connection::{Connection, Ended},
    event_checker::EventChecker,
    harness::{Harness, Settings, debug_binary},
    limits,
    wire::{Incoming, Transport},
};
use rollcall_protocol::api::MAX_NOTICE_CHARS;
use serde_json::{Value, json, value::RawValue};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::timeout,
};

const ROOMS: usize = 5;
const SLOW: usize = 1000;
const HEALTHY: usize = 50;

/// What one client that does not read may cost the bridge, everything together.
const BOUND_KIB: u64 = 256;

/// The kernel's receive buffer of a slow reader: what it does not read has to wait at the bridge.
const TINY_BYTES: u32 = 4096;

/// By then everybody slow has to be closed: it is far more than fits the bound.
const ROUNDS: usize = 2000;

/// How many slow readers are connected, and how many come back, at once.
const AT_ONCE: usize = 50;

/// Every so many slow readers come back.
const RETURNING: usize = 10;

/// How long anything may take that is not meant to take long. Only failures use it up.
const LIMIT: Duration = Duration::from_secs(60);

/// Longer than the test: nobody's grace period ends, and nobody is closed because of an unanswered ping.
const LONG: Duration = Duration::from_secs(600);

/// How often clients are asked whether they are there, and for how long, where that matters.
const PING: Duration = Duration::from_secs(8);

/// By how much less than another one a client has to be sent to be sent less than may wait for it.
const LEAD: usize = 128;

/// The last thing that is said in a room.
const LAST_WORDS: &str = "That was all.";

/// A client that reads until it has entered its room, and then not at all.
struct SlowReader {
    user: String,
    room: String,
    transport: Transport,
    connection: Connection,
    resume_token: String,
}

/// What healthy readers tell the test.
enum Heard {
    /// Somebody's connection is lost.
    Lost(String),
    /// The last words.
    LastWords,
    /// What nobody should hear, or not in this order.
    Wrong(String),
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_costs_little_and_is_closed_and_who_reads_misses_nothing() {
    limits::raise_open_files().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let harness = start_harness(folder.path(), LONG).await;
    let mut heard = healthy_readers(&harness).await;
    let sockets = open_slow(&harness).await;
    let before_kib = harness.bridges[0].process.memory().unwrap().resident_kib;
    let cost_kib = || peak_kib(&harness).saturating_sub(before_kib) / SLOW as u64;

    let mut asleep = enter_slow(sockets, &cost_kib).await;
    let mut awake = JoinSet::new();
    let mut rounds = 0;
    while !asleep.is_empty() {
        assert!(rounds < ROUNDS, "{} slow readers are still there after {rounds} rounds", asleep.len());
        try_join_all((0..ROOMS).map(|room| say_much(&harness, room))).await.unwrap();
        rounds += 1;
        while let Ok(told) = heard.try_recv() {
            if let Some(reader) = lost(told).and_then(|user| asleep.remove(&user)) {
                awake.spawn(read_to_the_end(reader));
            }
        }
        assert_bound(cost_kib());
    }

    let mut told_why = 0;
    let mut returning = Vec::new();
    while let Some(read) = awake.join_next().await {
        let (reader, end) = read.unwrap();
        told_why += usize::from(is_told_why(&reader, &end));
        returning.push(reader);
    }
    assert!(told_why > 0, "nobody could read why");
    let back = come_back(&harness, returning.into_iter().step_by(RETURNING).collect()).await;
    for room in 0..ROOMS {
        harness.api.notice(&name(room), LAST_WORDS).await.unwrap();
    }
    everybody_hears_the_last_words(&mut heard).await;
    assert_bound(cost_kib());
    println!(
        "memory: {} MiB before, {} MiB at most: {} KiB for each of {SLOW} slow readers. All closed after {rounds} \
         rounds, {told_why} of {} WebSockets told why; {back} came back with their tokens; {HEALTHY} healthy readers \
         missed nothing",
        before_kib / 1024,
        peak_kib(&harness) / 1024,
        cost_kib(),
        SLOW / 2,
    );
}

/// What is written to a client that takes nothing waits in the kernel, and whoever writes it waits for the kernel.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_nothing_is_lost_even_if_nothing_more_is_said() {
    limits::raise_open_files().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let harness = start_harness(folder.path(), PING).await;
    let mut heard = healthy_readers(&harness).await;
    let mut asleep = Vec::new();
    for transport in Transport::ALL {
        asleep.push(fall_asleep(&harness, "first", transport).await);
    }
    for _ in 0..LEAD {
        say_much(&harness, 0).await.unwrap();
    }
    for transport in Transport::ALL {
        asleep.push(fall_asleep(&harness, "second", transport).await);
    }
    let mut missing: HashSet<String> = asleep.iter().map(|(user, _)| user.clone()).collect();
    let all = missing.len();
    // When there is no place for one of the first, there is little for the others, and nothing more comes.
    while missing.len() == all {
        say_much(&harness, 0).await.unwrap();
        while let Ok(told) = heard.try_recv() {
            lost(told).map(|user| missing.remove(&user));
        }
    }
    while !missing.is_empty() {
        let told = timeout(LIMIT, heard.recv()).await;
        let told = told.unwrap_or_else(|_| panic!("nobody notices that {missing:?} are gone"));
        lost(told.unwrap()).map(|user| missing.remove(&user));
    }
}

/// Enters the first room, and does not read from then on.
async fn fall_asleep(harness: &Harness, name_of_kind: &str, transport: Transport) -> (String, Connection) {
    let user = format!("{name_of_kind}-{transport:?}");
    let mut connection = open(harness, &user, transport, Some(TINY_BYTES)).await.unwrap();
    ask(&mut connection, "room:join", &json!({"groupId": name(0)})).await.unwrap();
    (user, connection)
}

async fn start_harness(folder: &std::path::Path, ping: Duration) -> Harness {
    let settings =
        Settings { binary: debug_binary(), folder: folder.to_owned(), bridges: 1, grace: LONG, ping };
    let harness = Harness::start(&settings).await.unwrap();
    for room in 0..ROOMS {
        let definition = json!({"endAt": 4_000_000_000_000_u64, "leaderId": "nobody"});
        harness.api.define(&name(room), definition).await.unwrap();
    }
    harness
}

fn name(room: usize) -> String {
    format!("busy-{room}")
}

fn peak_kib(harness: &Harness) -> u64 {
    harness.bridges[0].process.memory().unwrap().peak_kib
}

fn assert_bound(cost_kib: u64) {
    assert!(cost_kib <= BOUND_KIB, "a slow reader costs {cost_kib} KiB and may cost {BOUND_KIB} KiB");
}

/// Whom the test hears to be lost.
fn lost(told: Heard) -> Option<String> {
    match told {
        Heard::Lost(user) => Some(user),
        Heard::LastWords => None,
        Heard::Wrong(what) => panic!("{what}"),
    }
}

async fn open(
    harness: &Harness,
    user: &str,
    transport: Transport,
    buffer: Option<u32>,
) -> Result<Connection, Ended> {
    let token = harness.secrets.token_for(user).unwrap();
    Connection::open(harness.bridges[0].address, transport, &token, buffer).await
}

/// Asks for something and returns the data of its ack; events that come before it are passed over.
async fn ask(connection: &mut Connection, event: &str, data: &Value) -> Result<Box<RawValue>, Ended> {
    let asked = connection.request(event, data).await?;
    loop {
        match timeout(LIMIT, connection.next())
            .await
            .map_err(|_| Ended::Lost(format!("no ack of {event}")))??
        {
            Incoming::Ack { id, data } if id == asked => {
                let ack: HashMap<String, Box<RawValue>> = serde_json::from_str(data.get()).unwrap();
                return ack.get("data").cloned().ok_or_else(|| Ended::Nonsense(data.to_string()));
            }
            Incoming::Event { .. } => {}
            other => return Err(Ended::Nonsense(format!("{other:?}"))),
        }
    }
}

/// Puts healthy readers into all rooms, on both transports. They tell what they hear.
async fn healthy_readers(harness: &Harness) -> UnboundedReceiver<Heard> {
    let (tell, heard) = unbounded_channel();
    for number in 0..HEALTHY {
        let user = format!("healthy-{number}");
        let transport = Transport::ALL[number / ROOMS % 2];
        let mut connection = open(harness, &user, transport, None).await.unwrap();
        let mut checker = EventChecker::new(user);
        let join = json!({"groupId": name(number % ROOMS)});
        let ack = ask(&mut connection, "room:join", &join).await.unwrap();
        checker.entered(&ack).unwrap();
        tokio::spawn(hear(connection, checker, tell.clone()));
    }
    heard
}

async fn hear(mut connection: Connection, mut checker: EventChecker, tell: UnboundedSender<Heard>) {
    let last = loop {
        let (event, data) = match connection.next().await {
            Ok(Incoming::Event { name, data }) => (name, data),
            other => break Heard::Wrong(format!("a healthy reader got {other:?}")),
        };
        if let Err(fault) = checker.told(&event, &data) {
            break Heard::Wrong(format!("{fault:?}"));
        }
        let data: Value = serde_json::from_str(data.get()).unwrap();
        if event == "room:participantReconnecting" {
            let _ = tell.send(Heard::Lost(data["userId"].as_str().unwrap().to_owned()));
        }
        if data["text"] == LAST_WORDS {
            let _ = tell.send(Heard::LastWords);
        }
    };
    // The test may be over.
    let _ = tell.send(last);
}

/// The longest notice that there can be.
async fn say_much(harness: &Harness, room: usize) -> anyhow::Result<()> {
    let text = "\u{1d11e}".repeat(MAX_NOTICE_CHARS);
    assert!(harness.api.notice(&name(room), &text).await?, "the room is live");
    Ok(())
}

/// The sockets of those who will not read, still outside of every room.
async fn open_slow(harness: &Harness) -> Vec<(String, Transport, Connection)> {
    stream::iter((0..SLOW).map(|number| async move {
        let (user, transport) = (format!("slow-{number}"), Transport::ALL[number % 2]);
        let connection = open(harness, &user, transport, Some(TINY_BYTES)).await?;
        Ok::<_, Ended>((user, transport, connection))
    }))
    .buffer_unordered(AT_ONCE)
    .try_collect()
    .await
    .unwrap()
}

/// Lets them enter, one after the other in each room. From then on they do not read.
async fn enter_slow(
    sockets: Vec<(String, Transport, Connection)>,
    cost_kib: &impl Fn() -> u64,
) -> HashMap<String, SlowReader> {
    stream::iter(sockets.into_iter().enumerate().map(
        |(number, (user, transport, mut connection))| async move {
            let room = name(number % ROOMS);
            let ack = ask(&mut connection, "room:join", &json!({"groupId": room})).await?;
            let ack: Value = serde_json::from_str(ack.get()).unwrap();
            let resume_token = ack["resumeToken"].as_str().unwrap().to_owned();
            assert_bound(cost_kib());
            Ok::<_, Ended>((user.clone(), SlowReader { user, room, transport, connection, resume_token }))
        },
    ))
    .buffer_unordered(ROOMS)
    .try_collect()
    .await
    .unwrap()
}

/// A slow reader that wakes up, when its connection has been given up.
async fn read_to_the_end(mut reader: SlowReader) -> (SlowReader, Ended) {
    loop {
        match timeout(LIMIT, reader.connection.next()).await {
            Err(_) => panic!("the connection of {} was given up and is not closed", reader.user),
            Ok(Ok(_)) => {}
            Ok(Err(end)) => return (reader, end),
        }
    }
}

/// Whether the close said why. A connection that was stuck may end without a word, but never with another reason.
fn is_told_why(reader: &SlowReader, end: &Ended) -> bool {
    match (reader.transport, end) {
        (Transport::WebSocket, Ended::Closed(code, reason)) => {
            assert_eq!((*code, reason.as_str()), (4420, "too slow"), "{}", reader.user);
            true
        }
        (_, Ended::Lost(_)) | (Transport::SocketIo, Ended::Goodbye | Ended::Closed(..)) => false,
        (_, end) => panic!("{} ended with {end:?}", reader.user),
    }
}

/// How many came back: all that were to.
async fn come_back(harness: &Harness, readers: Vec<SlowReader>) -> usize {
    let back: Vec<()> = stream::iter(readers.into_iter().map(|reader| async move {
        let mut connection = open(harness, &reader.user, reader.transport, None).await?;
        let join = json!({"groupId": reader.room, "resumeToken": reader.resume_token});
        let ack = ask(&mut connection, "room:join", &join).await?;
        let ack: Value = serde_json::from_str(ack.get()).unwrap();
        assert_eq!(ack["recovered"], true, "{}", reader.user);
        Ok::<_, Ended>(())
    }))
    .buffer_unordered(AT_ONCE)
    .try_collect()
    .await
    .unwrap();
    back.len()
}

/// With the last words, and no gap before, a reader has heard everything.
async fn everybody_hears_the_last_words(heard: &mut UnboundedReceiver<Heard>) {
    let mut done = 0;
    while done < HEALTHY {
        let told = timeout(LIMIT, heard.recv()).await.expect("healthy readers hear").expect("they are there");
        done += usize::from(matches!(told, Heard::LastWords));
        lost(told);
    }
}

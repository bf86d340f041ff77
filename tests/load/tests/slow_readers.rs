//! Clients that do not read. A thousand of them join busy rooms: their cost is bounded, the bridge closes them, they can
//! come back, and clients that read miss nothing. A few join rooms that fall quiet: the bridge detects them as well.

#![expect(clippy::unwrap_used, reason = "a test, and its helpers")]

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    time::Duration,
};

use futures_util::{StreamExt, TryStreamExt, future::try_join_all, stream};
use rollcall_load::{
    connection::{Connection, Disconnect},
    harness::{AppPlace, Harness, Settings, debug_binary},
    limits,
    observer::Observer,
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

/// The memory of the bridge that one slow reader may cost, in KiB.
const MAX_COST_KIB: u64 = 256;

/// The kernel's receive buffer of a slow reader. It is small, so that the bridge has to queue what the reader does not
/// read.
const TINY_BYTES: u32 = 4096;

/// After this many rounds of notices every slow reader has to be closed: the notices exceed the bound by far.
const MAX_ROUNDS: usize = 2000;

/// How many slow readers connect at once, and how many come back at once.
const CONCURRENCY: usize = 50;

/// Every tenth slow reader comes back.
const RETURN_EVERY: usize = 10;

/// A deadline for what takes no time by itself. Only failures reach it.
const DEADLINE: Duration = Duration::from_secs(60);

/// Longer than the test: no grace period ends, and no ping times out.
const NEVER: Duration = Duration::from_secs(600);

/// The ping interval and the ping timeout of the test in which pings have to time out.
const PING: Duration = Duration::from_secs(8);

/// The second sleepers miss this many notices of the first, so that less is queued for them.
const HEAD_START: usize = 128;

/// The last notice in each room.
const LAST_NOTICE: &str = "That was all.";

/// A client that reads until it joined its room, and then stops reading.
struct SlowReader {
    user: String,
    room: String,
    transport: Transport,
    connection: Connection,
    resume_token: String,
}

/// What healthy readers report to the test.
enum Report {
    /// A member lost the connection.
    Lost(String),
    /// The last notice came.
    LastNotice,
    /// A message that no healthy reader should get.
    Unexpected(String),
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_readers_cost_little_and_are_closed_and_healthy_readers_miss_nothing() {
    limits::raise_open_files().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let harness = start_harness(folder.path(), NEVER).await;
    let mut reports = start_healthy_readers(&harness).await;
    let sockets = open_slow(&harness).await;
    let before_kib = harness.bridges[0].process.memory().unwrap().resident_kib;
    let cost_kib = || peak_kib(&harness).saturating_sub(before_kib) / SLOW as u64;

    let mut asleep = join_slow(sockets, &cost_kib).await;
    let mut awake = JoinSet::new();
    let mut rounds = 0;
    while !asleep.is_empty() {
        assert!(rounds < MAX_ROUNDS, "{} slow readers are still there after {rounds} rounds", asleep.len());
        try_join_all((0..ROOMS).map(|room| send_longest_notice(&harness, room))).await.unwrap();
        rounds += 1;
        while let Ok(report) = reports.try_recv() {
            if let Some(reader) = lost_user(report).and_then(|user| asleep.remove(&user)) {
                awake.spawn(read_to_the_end(reader));
            }
        }
        assert_cost(cost_kib());
    }

    let mut with_reason = 0;
    let mut returning = Vec::new();
    while let Some(read) = awake.join_next().await {
        let (reader, disconnect) = read.unwrap();
        with_reason += usize::from(has_reason(&reader, &disconnect));
        returning.push(reader);
    }
    assert!(with_reason > 0, "no slow reader got the reason");
    let back = come_back(&harness, returning.into_iter().step_by(RETURN_EVERY).collect()).await;
    for room in 0..ROOMS {
        harness.api.notice(&room_id(room), LAST_NOTICE).await.unwrap();
    }
    wait_for_last_notices(&mut reports).await;
    assert_cost(cost_kib());
    println!(
        "memory: {} MiB before, {} MiB at most: {} KiB for each of {SLOW} slow readers. All closed after {rounds} \
         rounds, {with_reason} of {} WebSockets with the reason; {back} came back with their tokens; {HEALTHY} healthy \
         readers missed nothing",
        before_kib / 1024,
        peak_kib(&harness) / 1024,
        cost_kib(),
        SLOW / 2,
    );
}

/// Writes to a client that does not read wait in the kernel, and the writer waits for the kernel.
#[tokio::test(flavor = "multi_thread")]
async fn slow_readers_are_detected_even_if_their_room_falls_quiet() {
    limits::raise_open_files().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let harness = start_harness(folder.path(), PING).await;
    let mut reports = start_healthy_readers(&harness).await;
    let mut asleep = Vec::new();
    for transport in Transport::ALL {
        asleep.push(join_and_sleep(&harness, "first", transport).await);
    }
    for _ in 0..HEAD_START {
        send_longest_notice(&harness, 0).await.unwrap();
    }
    for transport in Transport::ALL {
        asleep.push(join_and_sleep(&harness, "second", transport).await);
    }
    let mut missing: HashSet<String> = asleep.iter().map(|(user, _)| user.clone()).collect();
    let all = missing.len();
    // Once the queue of a first sleeper is full, little is queued for the others, and no further notice comes.
    while missing.len() == all {
        send_longest_notice(&harness, 0).await.unwrap();
        while let Ok(report) = reports.try_recv() {
            lost_user(report).map(|user| missing.remove(&user));
        }
    }
    while !missing.is_empty() {
        let report = timeout(DEADLINE, reports.recv()).await;
        let report =
            report.unwrap_or_else(|_| panic!("the bridge does not detect that {missing:?} are gone"));
        lost_user(report.unwrap()).map(|user| missing.remove(&user));
    }
}

/// Joins the first room, and does not read any more.
async fn join_and_sleep(harness: &Harness, prefix: &str, transport: Transport) -> (String, Connection) {
    let user = format!("{prefix}-{transport:?}");
    let mut connection = open(harness, &user, transport, Some(TINY_BYTES)).await.unwrap();
    request(&mut connection, "room:join", &json!({"groupId": room_id(0)})).await.unwrap();
    (user, connection)
}

async fn start_harness(folder: &Path, ping: Duration) -> Harness {
    let settings = Settings {
        binary: debug_binary(),
        folder: folder.to_owned(),
        app: AppPlace::OwnProcess,
        bridges: 1,
        grace: NEVER,
        ping,
    };
    let harness = Harness::start(&settings).await.unwrap();
    for room in 0..ROOMS {
        let definition = json!({"endAt": 4_000_000_000_000_u64, "leaderId": "nobody"});
        harness.api.define(&room_id(room), definition).await.unwrap();
    }
    harness
}

fn room_id(room: usize) -> String {
    format!("busy-{room}")
}

fn peak_kib(harness: &Harness) -> u64 {
    harness.bridges[0].process.memory().unwrap().peak_kib
}

fn assert_cost(cost_kib: u64) {
    assert!(cost_kib <= MAX_COST_KIB, "a slow reader costs {cost_kib} KiB and may cost {MAX_COST_KIB} KiB");
}

/// Returns the user whom a report calls lost.
fn lost_user(report: Report) -> Option<String> {
    match report {
        Report::Lost(user) => Some(user),
        Report::LastNotice => None,
        Report::Unexpected(what) => panic!("{what}"),
    }
}

async fn open(
    harness: &Harness,
    user: &str,
    transport: Transport,
    buffer: Option<u32>,
) -> Result<Connection, Disconnect> {
    let token = harness.secrets.token_for(user).unwrap();
    Connection::open(harness.bridges[0].address, transport, &token, buffer).await
}

/// Sends a request, skips the events before its ack, and returns the data of the ack.
async fn request(
    connection: &mut Connection,
    event: &str,
    data: &Value,
) -> Result<Box<RawValue>, Disconnect> {
    let request_id = connection.send_request(event, data).await?;
    loop {
        match timeout(DEADLINE, connection.receive())
            .await
            .map_err(|_| Disconnect::Lost(format!("no ack of {event}")))??
        {
            Incoming::Ack { id, data } if id == request_id => {
                let ack: HashMap<String, Box<RawValue>> = serde_json::from_str(data.get()).unwrap();
                return ack.get("data").cloned().ok_or_else(|| Disconnect::ProtocolError(data.to_string()));
            }
            Incoming::Event { .. } => {}
            other => return Err(Disconnect::ProtocolError(format!("{other:?}"))),
        }
    }
}

/// Starts healthy readers in all rooms, on both transports. Returns their reports.
async fn start_healthy_readers(harness: &Harness) -> UnboundedReceiver<Report> {
    let (sender, reports) = unbounded_channel();
    for number in 0..HEALTHY {
        let user = format!("healthy-{number}");
        let transport = Transport::ALL[number / ROOMS % 2];
        let mut connection = open(harness, &user, transport, None).await.unwrap();
        let mut observer = Observer::new(user);
        let join = json!({"groupId": room_id(number % ROOMS)});
        let ack = request(&mut connection, "room:join", &join).await.unwrap();
        observer.observe_join(&ack).unwrap();
        tokio::spawn(read_and_report(connection, observer, sender.clone()));
    }
    reports
}

async fn read_and_report(
    mut connection: Connection,
    mut observer: Observer,
    reports: UnboundedSender<Report>,
) {
    let last = loop {
        let (event, data) = match connection.receive().await {
            Ok(Incoming::Event { name, data }) => (name, data),
            other => break Report::Unexpected(format!("a healthy reader got {other:?}")),
        };
        if let Err(violation) = observer.observe_event(&event, &data) {
            break Report::Unexpected(format!("{violation:?}"));
        }
        let data: Value = serde_json::from_str(data.get()).unwrap();
        if event == "room:participantReconnecting" {
            let members = data["users"].as_array().cloned().unwrap_or_else(|| vec![data.clone()]);
            for member in members {
                let _ = reports.send(Report::Lost(member["userId"].as_str().unwrap().to_owned()));
            }
        }
        if data["text"] == LAST_NOTICE {
            let _ = reports.send(Report::LastNotice);
        }
    };
    // The receiver is gone if the test ended.
    let _ = reports.send(last);
}

async fn send_longest_notice(harness: &Harness, room: usize) -> anyhow::Result<()> {
    let text = "\u{1d11e}".repeat(MAX_NOTICE_CHARS);
    assert!(harness.api.notice(&room_id(room), &text).await?, "the room is live");
    Ok(())
}

/// Opens the sockets of the slow readers, outside of every room.
async fn open_slow(harness: &Harness) -> Vec<(String, Transport, Connection)> {
    stream::iter((0..SLOW).map(|number| async move {
        let (user, transport) = (format!("slow-{number}"), Transport::ALL[number % 2]);
        let connection = open(harness, &user, transport, Some(TINY_BYTES)).await?;
        Ok::<_, Disconnect>((user, transport, connection))
    }))
    .buffer_unordered(CONCURRENCY)
    .try_collect()
    .await
    .unwrap()
}

/// Joins the rooms, one reader after the other in each room. The readers stop reading then.
async fn join_slow(
    sockets: Vec<(String, Transport, Connection)>,
    cost_kib: &impl Fn() -> u64,
) -> HashMap<String, SlowReader> {
    stream::iter(sockets.into_iter().enumerate().map(
        |(number, (user, transport, mut connection))| async move {
            let room = room_id(number % ROOMS);
            let ack = request(&mut connection, "room:join", &json!({"groupId": room})).await?;
            let ack: Value = serde_json::from_str(ack.get()).unwrap();
            let resume_token = ack["resumeToken"].as_str().unwrap().to_owned();
            assert_cost(cost_kib());
            Ok::<_, Disconnect>((
                user.clone(),
                SlowReader { user, room, transport, connection, resume_token },
            ))
        },
    ))
    .buffer_unordered(ROOMS)
    .try_collect()
    .await
    .unwrap()
}

/// Reads everything that a slow reader missed, until its connection ends.
async fn read_to_the_end(mut reader: SlowReader) -> (SlowReader, Disconnect) {
    loop {
        match timeout(DEADLINE, reader.connection.receive()).await {
            Err(_) => panic!("the bridge lost {} and does not close the connection", reader.user),
            Ok(Ok(_)) => {}
            Ok(Err(disconnect)) => return (reader, disconnect),
        }
    }
}

/// Whether the close frame gave the reason. A stuck connection may end without a close frame, but never with another
/// reason.
fn has_reason(reader: &SlowReader, disconnect: &Disconnect) -> bool {
    match (reader.transport, disconnect) {
        (Transport::WebSocket, Disconnect::Closed(code, reason)) => {
            assert_eq!((*code, reason.as_str()), (4420, "too slow"), "{}", reader.user);
            true
        }
        (_, Disconnect::Lost(_)) | (Transport::SocketIo, Disconnect::Packet | Disconnect::Closed(..)) => {
            false
        }
        (_, disconnect) => panic!("{} ended with {disconnect:?}", reader.user),
    }
}

/// Recovers the memberships of these readers. Returns how many came back.
async fn come_back(harness: &Harness, readers: Vec<SlowReader>) -> usize {
    let back: Vec<()> = stream::iter(readers.into_iter().map(|reader| async move {
        let mut connection = open(harness, &reader.user, reader.transport, None).await?;
        let join = json!({"groupId": reader.room, "resumeToken": reader.resume_token});
        let ack = request(&mut connection, "room:join", &join).await?;
        let ack: Value = serde_json::from_str(ack.get()).unwrap();
        assert_eq!(ack["recovered"], true, "{}", reader.user);
        Ok::<_, Disconnect>(())
    }))
    .buffer_unordered(CONCURRENCY)
    .try_collect()
    .await
    .unwrap();
    back.len()
}

/// Waits until every healthy reader got the last notice: with no gap before it, the reader missed nothing.
async fn wait_for_last_notices(reports: &mut UnboundedReceiver<Report>) {
    let mut done = 0;
    while done < HEALTHY {
        let report = timeout(DEADLINE, reports.recv()).await.expect("reports come").expect("readers run");
        done += usize::from(matches!(report, Report::LastNotice));
        lost_user(report);
    }
}

//! Two thousand members of one room are lost at once, together with their bridge. Those who stay, on every transport and
//! a tenth of a second away, stay: each learns who is lost, once, and misses nothing.

#![expect(clippy::unwrap_used, reason = "a test, and its helpers")]

use std::{collections::HashSet, net::SocketAddr, sync::Arc, time::Duration};

use rollcall_load::{
    connection::Connection,
    delay::Delay,
    harness::{AppPlace, Harness, Settings, debug_binary},
    limits,
    observer::Observer,
    polling::Polling,
    tokens::Secrets,
    wire::{Incoming, Transport},
};
use serde_json::{Value, json, value::RawValue};
use tokio::{
    sync::{Semaphore, mpsc::unbounded_channel},
    task::JoinSet,
    time::timeout,
};

const ROOM: &str = "lecture";

/// Members whose bridge dies.
const LOST: usize = 2000;

/// Members who stay, on each transport.
const HEALTHY: usize = 300;

/// How long every byte takes to and from those who stay.
const DELAY: Duration = Duration::from_millis(100);

/// How many members join at once.
const CONCURRENCY: usize = 50;

/// Longer than the test: no grace period ends.
const NEVER: Duration = Duration::from_secs(600);

/// The bridge's defaults.
const PING: Duration = Duration::from_secs(25);

/// A deadline for what takes no time by itself beyond the lease. Only failures reach it.
const DEADLINE: Duration = Duration::from_secs(240);

#[derive(Debug, Clone, Copy)]
enum Way {
    WebSocket,
    SocketIo,
    Polling,
}

/// A member on any transport.
enum Member {
    Socket(Connection),
    Polling(Polling),
}

impl Member {
    async fn open(way: Way, bridge: SocketAddr, token: &str) -> anyhow::Result<Self> {
        let socket = |transport| Connection::open(bridge, transport, token, None);
        Ok(match way {
            Way::WebSocket => Self::Socket(socket(Transport::WebSocket).await.map_err(lost)?),
            Way::SocketIo => Self::Socket(socket(Transport::SocketIo).await.map_err(lost)?),
            Way::Polling => Self::Polling(Polling::open(bridge, token).await?),
        })
    }

    async fn receive(&mut self) -> anyhow::Result<Incoming> {
        match self {
            Self::Socket(connection) => connection.receive().await.map_err(lost),
            Self::Polling(polling) => polling.receive().await,
        }
    }

    /// Joins the room. Returns the ack's data.
    async fn join(&mut self) -> anyhow::Result<Box<RawValue>> {
        let payload = json!({"groupId": ROOM});
        match self {
            Self::Socket(connection) => connection.send_request("room:join", &payload).await.map_err(lost)?,
            Self::Polling(polling) => polling.send_request("room:join", &payload).await?,
        };
        loop {
            if let Incoming::Ack { data, .. } = self.receive().await? {
                let ack: Value = serde_json::from_str(data.get())?;
                anyhow::ensure!(ack["success"] == true, "{ack}");
                return Ok(serde_json::value::to_raw_value(&ack["data"])?);
            }
        }
    }
}

fn lost(disconnect: rollcall_load::connection::Disconnect) -> anyhow::Error {
    anyhow::anyhow!("{disconnect:?}")
}

#[tokio::test(flavor = "multi_thread")]
async fn members_who_stay_are_told_who_is_lost_and_none_is_closed() {
    limits::raise_open_files().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        binary: debug_binary(),
        folder: folder.path().to_owned(),
        app: AppPlace::OwnProcess,
        bridges: 2,
        grace: NEVER,
        ping: PING,
    };
    let mut harness = Harness::start(&settings).await.unwrap();
    let definition = json!({"endAt": 4_000_000_000_000_u64, "leaderId": "nobody"});
    harness.api.define(ROOM, definition).await.unwrap();

    let crowd = join_crowd(harness.bridges[1].address, &harness.secrets).await;
    let network = Delay::start(harness.bridges[0].address, DELAY).await.unwrap();
    let mut healthy = join_healthy(network.address, &harness.secrets).await;

    harness.bridges[1].process.kill().await.unwrap();
    let mut events = Vec::new();
    while let Some(outcome) = timeout(DEADLINE, healthy.join_next()).await.unwrap() {
        events.push(outcome.unwrap());
    }
    drop(crowd);
    assert_eq!(events.len(), 3 * HEALTHY);
    let (least, most) = (events.iter().min().unwrap(), events.iter().max().unwrap());
    println!("{LOST} members lost at once: {least} to {most} events for each of {} who stay", events.len());
}

/// Joins the members who will be lost. They read until the end.
async fn join_crowd(bridge: SocketAddr, secrets: &Arc<Secrets>) -> JoinSet<()> {
    let users = (0..LOST).map(|number| (format!("lost-{number}"), Way::WebSocket));
    join_all(
        bridge,
        secrets,
        users,
        |_, mut member, _| async move { while member.receive().await.is_ok() {} },
    )
    .await
}

/// Joins the members who stay. Each of the tasks ends when its member has been told of everybody who is lost.
async fn join_healthy(network: SocketAddr, secrets: &Arc<Secrets>) -> JoinSet<usize> {
    let ways = [Way::WebSocket, Way::SocketIo, Way::Polling];
    let users =
        (0..ways.len() * HEALTHY).map(|number| (format!("healthy-{number}"), ways[number % ways.len()]));
    join_all(network, secrets, users, |user, member, ack| async move {
        let mut observer = Observer::new(user.clone());
        observer.observe_join(&ack).unwrap();
        count_events_until_all_are_lost(&user, member, observer).await
    })
    .await
}

/// Joins members, some at a time, and returns when all of them have joined. Each task goes on with `then`.
async fn join_all<T: Send + 'static, F: Future<Output = T> + Send>(
    bridge: SocketAddr,
    secrets: &Arc<Secrets>,
    users: impl Iterator<Item = (String, Way)>,
    then: impl FnOnce(String, Member, Box<RawValue>) -> F + Copy + Send + 'static,
) -> JoinSet<T> {
    let joins = Arc::new(Semaphore::new(CONCURRENCY));
    let mut tasks = JoinSet::new();
    let (joined, mut all) = unbounded_channel();
    for (user, way) in users {
        let (joins, joined, secrets) = (Arc::clone(&joins), joined.clone(), Arc::clone(secrets));
        tasks.spawn(async move {
            let permit = joins.acquire().await.unwrap();
            let token = secrets.token_for(&user).unwrap();
            let mut member = Member::open(way, bridge, &token).await.unwrap();
            let ack = member.join().await.unwrap();
            drop(permit);
            joined.send(()).unwrap();
            then(user, member, ack).await
        });
    }
    drop(joined);
    for _ in 0..tasks.len() {
        let joined = timeout(DEADLINE, all.recv()).await;
        joined.unwrap().expect("no task has failed");
    }
    tasks
}

async fn count_events_until_all_are_lost(user: &str, mut member: Member, mut observer: Observer) -> usize {
    let (mut missing, mut events) =
        ((0..LOST).map(|number| format!("lost-{number}")).collect::<HashSet<_>>(), 0);
    while !missing.is_empty() {
        let incoming = member.receive().await.unwrap_or_else(|error| panic!("{user}: {error:#}"));
        let Incoming::Event { name, data } = incoming else { panic!("{user} got {incoming:?}") };
        observer.observe_event(&name, &data).unwrap();
        if name != "room:participantReconnecting" {
            continue;
        }
        events += 1;
        let data: Value = serde_json::from_str(data.get()).unwrap();
        let members = data["users"].as_array().cloned().unwrap_or_else(|| vec![data.clone()]);
        for lost in members {
            let lost = lost["userId"].as_str().unwrap();
            assert!(missing.remove(lost), "{user} is told of {lost} twice");
        }
    }
    events
}

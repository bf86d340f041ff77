//! Many members on sockets of their own who join and leave when they are told to.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{
    colyseus_member::ColyseusMember, commands::Command, service::Service, socket_member::SocketMember,
    variant::ClientKind,
};
use crate::{connection::Connection, latencies::Latencies, wire::Transport};

/// How many connections are opened at once.
const CONCURRENT_CONNECTIONS: usize = 64;

/// All acks of a step arrive sooner, unless the service hangs.
const STEP_TIMEOUT: Duration = Duration::from_secs(120);

/// When no client received anything for this long, the service has sent what a step caused.
const SILENCE: Duration = Duration::from_millis(150);

/// Something that a member does.
#[derive(Debug, Clone)]
pub enum Step {
    /// Joins a room.
    Join(Arc<str>),
    /// Leaves the room.
    Leave,
    /// Sends a command.
    Command {
        /// The command.
        command: Command,
        /// The number of the member, counted from 0.
        member: usize,
        /// How often the member has sent the command before.
        repeat: usize,
    },
    /// Shares a document with the room.
    ShareDocument,
    /// Opens the last document that was shared in the room.
    OpenDocument,
    /// Watches the counts of rooms no longer.
    EndWatch,
}

/// Members on sockets of their own. Dropping the crowd drops the connections.
pub struct Crowd {
    members: Vec<UnboundedSender<(Step, Instant)>>,
    acks: UnboundedReceiver<Result<Duration>>,
    received: Arc<Received>,
    _tasks: JoinSet<()>,
}

/// What a member is told, and what the member reports.
pub struct Orders {
    /// The steps to do, each with the time when it is due.
    pub steps: UnboundedReceiver<(Step, Instant)>,
    /// How long after its time each step was done.
    pub acks: UnboundedSender<Result<Duration>>,
    /// What the member received.
    pub received: Arc<Received>,
}

/// What all members received so far.
#[derive(Debug, Default)]
pub struct Received {
    bytes: AtomicU64,
    messages: AtomicU64,
}

impl Received {
    /// Counts a message.
    pub fn add(&self, bytes: u64) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// A client before its first step.
enum Client {
    Socket(SocketMember),
    Colyseus(ColyseusMember),
}

impl Client {
    async fn connect(address: SocketAddr, kind: ClientKind, token: String) -> Result<Self> {
        let transport = match kind {
            ClientKind::SocketIo => Transport::SocketIo,
            ClientKind::WebSocket => Transport::WebSocket,
            ClientKind::Colyseus => return Ok(Self::Colyseus(ColyseusMember::new(address, token))),
        };
        let connection = Connection::open(address, transport, &token, None).await;
        let connection = connection.map_err(|error| anyhow!("cannot connect: {error:?}"))?;
        Ok(Self::Socket(SocketMember::new(connection)))
    }

    async fn run(self, orders: Orders) {
        match self {
            Self::Socket(member) => member.run(orders).await,
            Self::Colyseus(member) => member.run(orders).await,
        }
    }
}

impl Crowd {
    /// Connects members. Those of Colyseus connect when they join.
    pub async fn connect(service: &Service, kind: ClientKind, count: usize) -> Result<Self> {
        let tokens: Vec<_> =
            (0..count).map(|number| service.secrets().token_for(&user_id(number))).collect::<Result<_>>()?;
        let connecting = tokens.into_iter().map(|token| Client::connect(service.address(), kind, token));
        let clients = stream::iter(connecting).buffered(CONCURRENT_CONNECTIONS);
        let clients: Vec<_> = clients.try_collect().await?;

        let received = Arc::new(Received::default());
        let (send_ack, acks) = unbounded_channel();
        let (mut members, mut tasks) = (Vec::new(), JoinSet::new());
        for client in clients {
            let (member, steps) = unbounded_channel();
            members.push(member);
            tasks.spawn(client.run(Orders {
                steps,
                acks: send_ack.clone(),
                received: Arc::clone(&received),
            }));
        }
        Ok(Self { members, acks, received, _tasks: tasks })
    }

    /// Makes all members do a step at once. Returns how long they waited for their acks.
    pub async fn step_together(&mut self, step: impl Fn(usize) -> Step) -> Result<Latencies> {
        let now = Instant::now();
        for number in 0..self.members.len() {
            self.start_step(number, step(number), now)?;
        }
        self.wait_for_acks(self.members.len()).await
    }

    /// Makes the members do a step in small groups.
    pub async fn step_in_groups(&mut self, step: impl Fn(usize) -> Step) -> Result<()> {
        let numbers: Vec<usize> = (0..self.members.len()).collect();
        for group in numbers.chunks(CONCURRENT_CONNECTIONS) {
            for &number in group {
                self.start_step(number, step(number), Instant::now())?;
            }
            self.wait_for_acks(group.len()).await?;
        }
        Ok(())
    }

    /// Makes a member do a step that is due at a time, after the member's earlier steps.
    pub fn start_step(&self, number: usize, step: Step, due: Instant) -> Result<()> {
        self.members[number].send((step, due)).map_err(|_| anyhow!("a member has lost the connection"))
    }

    /// Waits for acks. Returns how long after the steps were due they came.
    pub async fn wait_for_acks(&mut self, count: usize) -> Result<Latencies> {
        let mut latencies = Latencies::new()?;
        for received in 0..count {
            let ack = timeout(STEP_TIMEOUT, self.acks.recv()).await;
            let ack = ack.with_context(|| format!("{received} of {count} acks came"))?;
            latencies.record(ack.context("all members have lost their connection")??);
        }
        Ok(latencies)
    }

    /// Waits until the service has sent what the steps so far caused.
    pub async fn settle(&self) {
        let messages = || self.received.messages.load(Ordering::Relaxed);
        let mut before = messages();
        loop {
            sleep(SILENCE).await;
            if messages() == before {
                return;
            }
            before = messages();
        }
    }

    /// How many members there are.
    pub fn size(&self) -> usize {
        self.members.len()
    }

    /// The bytes that all members received so far.
    pub fn received_bytes(&self) -> u64 {
        self.received.bytes.load(Ordering::Relaxed)
    }
}

/// The id of a member.
pub fn user_id(number: usize) -> String {
    format!("user-{number}")
}

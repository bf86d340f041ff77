//! One simulated client, from the beginning of a run to its end: which rooms it visits, how it goes and comes back.

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    client_kind::{ClientKind, Parting, Return},
    connection::Ended,
    event_checker::Fault,
    visit::{Visit, Visitor},
    wire::Transport,
    world::World,
};

/// How long to wait before trying again.
const PAUSE: Duration = Duration::from_millis(500);

/// How often to try to enter a room; in sum longer than it takes to notice a silent connection.
const TRIES: u32 = 40;

/// How many requests a pushy client makes at once: more than wait in line.
const REQUESTS_AT_ONCE: usize = 40;

/// How long a slow reader does not read at a time.
const NOT_READING: Duration = Duration::from_secs(3);

/// One simulated client.
pub struct Client {
    world: Arc<World>,
    rng: Rng,
    kind: ClientKind,
    transport: Transport,
    bridge: usize,
    number: usize,
    /// Rises when a user never comes back and somebody else takes the client.
    generation: u32,
    ticket: Option<Ticket>,
}

/// What a client that lost its connection comes back with.
struct Ticket {
    room: String,
    resume_token: Option<String>,
}

impl Client {
    /// A client whose choices follow from the seed and its number.
    pub fn new(world: Arc<World>, number: usize, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed ^ (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let kind = ClientKind::any(&mut rng);
        let transport = Transport::ALL[number % 2];
        let bridge = number / 2 % world.bridges.len();
        Self { world, rng, kind, transport, bridge, number, generation: 0, ticket: None }
    }

    /// Lives until everybody has to go.
    pub async fn live(mut self) {
        let over = self.world.over.clone();
        while !over.is_cancelled() {
            if let Err(ended) = self.visit().await {
                self.take_note(ended);
                tokio::select! {
                    () = sleep(PAUSE) => {}
                    () = over.cancelled() => {}
                }
            }
        }
    }

    async fn visit(&mut self) -> Result<(), Ended> {
        let world = Arc::clone(&self.world);
        let user = self.user();
        let visitor = Visitor { bridge: self.bridge, transport: self.transport, user: &user };
        let mut visit = Visit::begin(&world, visitor).await?;
        let outcome = self.spend(&mut visit).await;
        if visit.is_dismissed() {
            self.ticket = None;
            return Ok(());
        }
        match outcome? {
            Parting::Properly => {
                visit.close().await;
                return Ok(());
            }
            Parting::WithoutAWord => drop(visit),
            Parting::Silently => fall_silent(&world, visit),
        }
        self.come_back();
        Ok(())
    }

    /// Spends time in rooms until it is time to part.
    async fn spend(&mut self, visit: &mut Visit) -> Result<Parting, Ended> {
        let over = self.world.over.clone();
        loop {
            let room = self.enter(visit).await?;
            tokio::select! {
                stayed = self.stay(visit, &room) => stayed?,
                () = over.cancelled() => {}
            }
            let parting = self.kind.parting(&mut self.rng);
            if parting != Parting::Properly {
                return Ok(parting);
            }
            visit.leave().await?;
            self.ticket = None;
            if self.kind != ClientKind::Restless || over.is_cancelled() {
                return Ok(Parting::Properly);
            }
        }
    }

    /// Tries to get into the room of the ticket, or else into any.
    async fn enter(&mut self, visit: &mut Visit) -> Result<String, Ended> {
        for _ in 0..TRIES {
            let ticket = self.ticket.take();
            let room =
                ticket.as_ref().map_or_else(|| self.world.rooms.any(&mut self.rng), |it| it.room.clone());
            let resume = ticket.as_ref().and_then(|ticket| ticket.resume_token.as_deref());
            match visit.enter(&room, resume).await? {
                Ok(token) => {
                    self.ticket = Some(Ticket { room: room.clone(), resume_token: Some(token) });
                    return Ok(room);
                }
                Err(code) if matches!(code.as_str(), "SESSION_ENDED" | "NO_SUCH_ROOM") => {}
                // As while nobody has noticed yet that the former connection is lost.
                Err(_) => self.ticket = ticket,
            }
            if self.world.over.is_cancelled() {
                return Err(Ended::Lost("the run was over".to_owned()));
            }
            visit.listen(Instant::now() + PAUSE).await?;
        }
        self.become_another();
        Err(Ended::Lost("gave up".to_owned()))
    }

    async fn stay(&mut self, visit: &mut Visit, room: &str) -> Result<(), Ended> {
        let until = Instant::now() + self.dwell();
        match self.kind {
            ClientKind::Slow => {
                while Instant::now() < until {
                    sleep(NOT_READING).await;
                    visit.listen(Instant::now() + NOT_READING).await?;
                }
            }
            ClientKind::Pushy => {
                for _ in 0..REQUESTS_AT_ONCE {
                    visit.press("room:join", &json!({"groupId": room})).await?;
                }
            }
            ClientKind::Babbling => visit.say(rubbish(&mut self.rng, self.transport)).await?,
            ClientKind::Steady | ClientKind::Restless | ClientKind::Unlucky => {}
        }
        visit.listen(until).await
    }

    /// As long as things take that happen at any time: mostly shorter than the average, sometimes much longer.
    fn dwell(&mut self) -> Duration {
        let factor = -(1.0 - self.rng.f64()).ln();
        self.world.dwell.mul_f64(factor.clamp(0.05, 4.0))
    }

    fn come_back(&mut self) {
        match Return::any(&mut self.rng) {
            Return::WithToken => self.bridge = (self.bridge + 1) % self.world.bridges.len(),
            Return::Empty => {
                if let Some(ticket) = &mut self.ticket {
                    ticket.resume_token = None;
                }
            }
            Return::Never => self.become_another(),
        }
    }

    fn become_another(&mut self) {
        self.generation += 1;
        self.ticket = None;
    }

    fn user(&self) -> String {
        format!("user-{}-{}", self.number, self.generation)
    }

    fn take_note(&self, ended: Ended) {
        let counters = &self.world.counters;
        match ended {
            Ended::Closed(code, reason) => counters.code(&format!("close {code} {reason}")),
            Ended::Goodbye => counters.code("goodbye"),
            Ended::Refused(code) => counters.code(&code),
            Ended::Lost(why) => counters.code(&why),
            Ended::Nonsense(what) => counters.fault(Fault::Speech(what)),
        }
    }
}

/// Keeps the socket open and reads nothing, until the bridge must have noticed.
fn fall_silent(world: &Arc<World>, visit: Visit) {
    let (silence, over) = (world.silence, world.over.clone());
    tokio::spawn(async move {
        tokio::select! {
            () = sleep(silence) => {}
            () = over.cancelled() => {}
        }
        drop(visit);
    });
}

/// What no client should say.
fn rubbish(rng: &mut Rng, transport: Transport) -> String {
    let any =
        ["", "{", "null", "[[[[[[[[", "42", "{\"id\":1,\"event\":7,\"data\":{}}", "\u{0}", "99/study,[]"];
    match rng.usize(..any.len() + 3) {
        0 => transport.request(1_000_000, "room:join", &json!({"groupId": "x".repeat(20_000)})),
        1 => transport.request(1_000_000, "room:burn", &json!({})),
        2 => transport.request(1_000_000, "room:join", &json!({"groupId": {"$ne": null}})),
        other => any[other - 3].to_owned(),
    }
}

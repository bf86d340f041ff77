//! One virtual user: connects, joins rooms, disconnects and reconnects until the run ends.

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    behavior::{Behavior, Departure, Reconnect},
    client::{Client, Target},
    connection::Disconnect,
    observer::Violation,
    shared::Shared,
    wire::Transport,
};

const RETRY_DELAY: Duration = Duration::from_millis(500);

/// How often a user tries to join: with the delays, longer than a bridge takes to detect a silent connection.
const MAX_JOIN_ATTEMPTS: u32 = 40;

/// How many requests a flooder sends at once: more than the bridge queues.
const FLOOD_REQUESTS: usize = 40;

/// How long a slow reader pauses between reads.
const READ_PAUSE: Duration = Duration::from_secs(3);

/// The bounds of a stay, relative to the mean.
const STAY_FACTORS: (f64, f64) = (0.05, 4.0);

/// One virtual user.
pub struct VirtualUser {
    shared: Arc<Shared>,
    rng: Rng,
    behavior: Behavior,
    transport: Transport,
    bridge: usize,
    number: usize,
    /// Rises when a new user takes the place of one who never comes back.
    generation: u32,
    membership: Option<Membership>,
}

/// What a user needs to return to a room after losing the connection.
struct Membership {
    room: String,
    resume_token: Option<String>,
}

impl VirtualUser {
    /// Creates a user whose choices follow from the seed and its number.
    pub fn new(shared: Arc<Shared>, number: usize, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed ^ (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let behavior = Behavior::pick(&mut rng);
        let transport = Transport::ALL[number % 2];
        let bridge = number / 2 % shared.bridges.len();
        Self { shared, rng, behavior, transport, bridge, number, generation: 0, membership: None }
    }

    /// Connects again and again until the run ends.
    pub async fn run(mut self) {
        let stop = self.shared.stop.clone();
        while !stop.is_cancelled() {
            if let Err(disconnect) = self.run_connection().await {
                self.record(disconnect);
                tokio::select! {
                    () = sleep(RETRY_DELAY) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
    }

    async fn run_connection(&mut self) -> Result<(), Disconnect> {
        let shared = Arc::clone(&self.shared);
        let user = self.user_id();
        let target = Target { bridge: self.bridge, transport: self.transport, user: &user };
        let mut client = Client::connect(&shared, target).await?;
        let outcome = self.visit_rooms(&mut client).await;
        if client.is_membership_over() {
            self.membership = None;
            return Ok(());
        }
        match outcome? {
            Departure::Leave => {
                client.close().await;
                return Ok(());
            }
            Departure::Drop => drop(client),
            Departure::Silence => keep_silent(&shared, client),
        }
        self.prepare_reconnect();
        Ok(())
    }

    /// Joins rooms until the user departs.
    async fn visit_rooms(&mut self, client: &mut Client) -> Result<Departure, Disconnect> {
        let stop = self.shared.stop.clone();
        loop {
            let room = self.join(client).await?;
            tokio::select! {
                stayed = self.stay(client, &room) => stayed?,
                () = stop.cancelled() => {}
            }
            let departure = self.behavior.pick_departure(&mut self.rng);
            if departure != Departure::Leave {
                return Ok(departure);
            }
            client.leave().await?;
            self.membership = None;
            if self.behavior != Behavior::RoomSwitcher || stop.is_cancelled() {
                return Ok(Departure::Leave);
            }
        }
    }

    /// Joins the room of the membership, or else any room. Returns the room.
    async fn join(&mut self, client: &mut Client) -> Result<String, Disconnect> {
        for _ in 0..MAX_JOIN_ATTEMPTS {
            let membership = self.membership.take();
            let room = match &membership {
                Some(membership) => membership.room.clone(),
                None => self.shared.rooms.pick(&mut self.rng),
            };
            let token = membership.as_ref().and_then(|membership| membership.resume_token.as_deref());
            match client.join(&room, token).await? {
                Ok(token) => {
                    self.membership = Some(Membership { room: room.clone(), resume_token: Some(token) });
                    return Ok(room);
                }
                Err(code) if matches!(code.as_str(), "SESSION_ENDED" | "NO_SUCH_ROOM") => {}
                // A refusal may be temporary: the bridge may not have detected the loss of the former connection yet.
                Err(_) => self.membership = membership,
            }
            if self.shared.stop.is_cancelled() {
                return Err(Disconnect::Lost("the run ended".to_owned()));
            }
            client.receive_until(Instant::now() + RETRY_DELAY).await?;
        }
        self.become_new_user();
        Err(Disconnect::Lost("gave up".to_owned()))
    }

    async fn stay(&mut self, client: &mut Client, room: &str) -> Result<(), Disconnect> {
        let end = Instant::now() + self.pick_stay();
        match self.behavior {
            Behavior::SlowReader => {
                while Instant::now() < end {
                    sleep(READ_PAUSE).await;
                    client.receive_until(Instant::now() + READ_PAUSE).await?;
                }
            }
            Behavior::Flooder => {
                for _ in 0..FLOOD_REQUESTS {
                    client.send_request("room:join", &json!({"groupId": room})).await?;
                }
            }
            Behavior::Malformed => {
                client.send_text(malformed_message(&mut self.rng, self.transport)).await?;
            }
            Behavior::Steady | Behavior::RoomSwitcher | Behavior::Unstable => {}
        }
        client.receive_until(end).await
    }

    /// Picks the length of a stay from an exponential distribution: most are short, a few are long.
    fn pick_stay(&mut self) -> Duration {
        let factor = -(1.0 - self.rng.f64()).ln();
        let (min, max) = STAY_FACTORS;
        self.shared.mean_stay.mul_f64(factor.clamp(min, max))
    }

    fn prepare_reconnect(&mut self) {
        match Reconnect::pick(&mut self.rng) {
            Reconnect::WithToken => self.bridge = (self.bridge + 1) % self.shared.bridges.len(),
            Reconnect::WithoutToken => {
                if let Some(membership) = &mut self.membership {
                    membership.resume_token = None;
                }
            }
            Reconnect::AsNewUser => self.become_new_user(),
        }
    }

    fn become_new_user(&mut self) {
        self.generation += 1;
        self.membership = None;
    }

    fn user_id(&self) -> String {
        format!("user-{}-{}", self.number, self.generation)
    }

    fn record(&self, disconnect: Disconnect) {
        let metrics = &self.shared.metrics;
        match disconnect {
            Disconnect::Closed(code, reason) => metrics.count_code(&format!("close {code} {reason}")),
            Disconnect::Packet => metrics.count_code("disconnect packet"),
            Disconnect::Refused(code) => metrics.count_code(&code),
            Disconnect::Lost(reason) => metrics.count_code(&reason),
            Disconnect::ProtocolError(text) => metrics.record_violation(Violation::Protocol(text)),
        }
    }
}

/// Keeps the socket open without reading, until the bridge must have detected the silence.
fn keep_silent(shared: &Arc<Shared>, client: Client) {
    let (silence, stop) = (shared.silence, shared.stop.clone());
    tokio::spawn(async move {
        tokio::select! {
            () = sleep(silence) => {}
            () = stop.cancelled() => {}
        }
        drop(client);
    });
}

fn malformed_message(rng: &mut Rng, transport: Transport) -> String {
    let texts =
        ["", "{", "null", "[[[[[[[[", "42", "{\"id\":1,\"event\":7,\"data\":{}}", "\u{0}", "99/study,[]"];
    match rng.usize(..texts.len() + 3) {
        0 => transport.request(1_000_000, "room:join", &json!({"groupId": "x".repeat(20_000)})),
        1 => transport.request(1_000_000, "room:burn", &json!({})),
        2 => transport.request(1_000_000, "room:join", &json!({"groupId": {"$ne": null}})),
        other => texts[other - 3].to_owned(),
    }
}

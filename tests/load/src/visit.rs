//! One client's time on one socket. Each event goes to its checker.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    connection::{Connection, Ended},
    event_checker::{EventChecker, Fault},
    wire::{Incoming, Transport},
    world::World,
};

/// How long an answer may take before it is taken for lost.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Events after which the bridge closes the socket, because there is nothing to come back to.
const LAST_EVENTS: &[&str] = &["room:ended", "room:replaced", "room:removed"];

/// One client's time on one socket. Dropping it is to go away without a word.
pub struct Visit {
    world: Arc<World>,
    bridge: usize,
    connection: Connection,
    checker: EventChecker,
    is_dismissed: bool,
}

/// Who comes, and how.
pub struct Visitor<'a> {
    /// Which of the world's bridges.
    pub bridge: usize,
    /// How connected.
    pub transport: Transport,
    /// The user's id.
    pub user: &'a str,
}

#[derive(Deserialize)]
struct Ack {
    success: bool,
    code: Option<String>,
    data: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Welcome {
    recovered: bool,
    resume_token: String,
}

impl Visit {
    /// Connects.
    pub async fn begin(world: &Arc<World>, visitor: Visitor<'_>) -> Result<Self, Ended> {
        let Visitor { bridge, transport, user } = visitor;
        let token = world.secrets.token_for(user).map_err(|error| Ended::Lost(error.to_string()))?;
        let _door = world.doors.acquire().await;
        let connection = Connection::open(world.bridges[bridge], transport, &token, None).await?;
        world.counters.sockets[bridge].add();
        world.counters.opened.add();
        let checker = EventChecker::new(user.to_owned());
        Ok(Self { world: Arc::clone(world), bridge, connection, checker, is_dismissed: false })
    }

    /// Joins a room. Returns the token to come back with, or the code of the refusal.
    pub async fn enter(&mut self, room: &str, resume: Option<&str>) -> Result<Result<String, String>, Ended> {
        let world = Arc::clone(&self.world);
        let _door = world.doors.acquire().await;
        let began = Instant::now();
        let mut request = json!({"groupId": room});
        if let Some(token) = resume {
            request["resumeToken"] = token.into();
        }
        let ack = match self.ask("room:join", &request).await? {
            Ok(ack) => ack,
            Err(code) => return Ok(Err(code)),
        };
        self.world.counters.joined_in(began.elapsed());
        self.world.counters.joins.add();
        self.note(|checker| checker.entered(&ack));
        let welcome: Welcome =
            serde_json::from_str(ack.get()).map_err(|error| Ended::Nonsense(format!("{error} in {ack}")))?;
        if welcome.recovered {
            self.world.counters.recovered.add();
        }
        Ok(Ok(welcome.resume_token))
    }

    /// Leaves the room for good.
    pub async fn leave(&mut self) -> Result<(), Ended> {
        if self.ask("room:leave", &json!({})).await?.is_ok() {
            self.world.counters.leaves.add();
            self.checker.left();
        }
        Ok(())
    }

    /// Hears what is told until then.
    pub async fn listen(&mut self, until: Instant) -> Result<(), Ended> {
        while let Ok(incoming) = timeout_at(until, self.connection.next()).await {
            self.hear(incoming?);
        }
        Ok(())
    }

    /// Asks for something without waiting for the answer.
    pub async fn press(&mut self, event: &str, data: &Value) -> Result<(), Ended> {
        self.connection.request(event, data).await.map(drop)
    }

    /// Sends any text.
    pub async fn say(&mut self, text: String) -> Result<(), Ended> {
        self.connection.say(text).await
    }

    /// Closes the socket politely. Whoever is in a room has lost a connection then.
    pub async fn close(mut self) {
        let _ = timeout(ANSWER_LIMIT, self.connection.close()).await;
    }

    /// Whether the room has told this client to go.
    pub fn is_dismissed(&self) -> bool {
        self.is_dismissed
    }

    async fn ask(&mut self, event: &str, data: &Value) -> Result<Result<Box<RawValue>, String>, Ended> {
        let asked = self.connection.request(event, data).await?;
        let until = Instant::now() + ANSWER_LIMIT;
        loop {
            let incoming = timeout_at(until, self.connection.next())
                .await
                .map_err(|_| Ended::Lost(format!("no answer to {event}")))??;
            match incoming {
                Incoming::Ack { id, data } if id == asked => return self.outcome(&data),
                incoming => self.hear(incoming),
            }
        }
    }

    fn outcome(&self, data: &RawValue) -> Result<Result<Box<RawValue>, String>, Ended> {
        match serde_json::from_str(data.get()) {
            Ok(Ack { success: true, data: Some(data), .. }) => Ok(Ok(data)),
            Ok(Ack { success: false, code: Some(code), .. }) => {
                self.world.counters.code(&code);
                Ok(Err(code))
            }
            _ => Err(Ended::Nonsense(format!("an ack that is none: {data}"))),
        }
    }

    fn hear(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Event { name, data } => {
                self.world.counters.events.add();
                self.is_dismissed |= LAST_EVENTS.contains(&name.as_str());
                self.note(|checker| checker.told(&name, &data));
            }
            // An answer that nobody waits for.
            Incoming::Ack { data, .. } => drop(self.outcome(&data)),
            _ => {}
        }
    }

    fn note(&mut self, check: impl FnOnce(&mut EventChecker) -> Result<(), Fault>) {
        if let Err(fault) = check(&mut self.checker) {
            self.world.counters.fault(fault);
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.world.counters.sockets[self.bridge].remove();
        if self.checker.position().is_some() && !self.is_dismissed {
            self.world.counters.losses.add();
        }
    }
}

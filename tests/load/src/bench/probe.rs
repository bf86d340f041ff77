//! One client that tries until it is in a room.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, anyhow, bail, ensure};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::{colyseus_member::ColyseusMember, crowd::Received, service::Service, variant::ClientKind};
use crate::{
    connection::Connection,
    wire::{Incoming, Transport},
};

/// The user's id.
const USER: &str = "probe";

/// How long the client waits between two attempts.
const PAUSE: Duration = Duration::from_millis(10);

/// An attempt that takes longer has failed.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// A service that lets nobody in for as long as this does not work.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A client that comes back with the resume token of its last join, if the service gives one.
pub struct Probe {
    kind: ClientKind,
    address: SocketAddr,
    token: String,
    room: String,
    resume_token: Option<String>,
}

/// The connection of a client in a room. Dropping it drops the connection.
#[expect(dead_code, reason = "it is only held")]
pub enum Entered {
    Socket(Connection),
    Colyseus(ColyseusMember),
}

impl Probe {
    /// Creates a client that wants to be in a room.
    pub fn new(service: &Service, kind: ClientKind, room: &str) -> Result<Self> {
        let token = service.secrets().token_for(USER)?;
        Ok(Self { kind, address: service.address(), token, room: room.to_owned(), resume_token: None })
    }

    /// Joins, and tries again until that works.
    pub async fn enter(&mut self) -> Result<Entered> {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let attempt = timeout(ATTEMPT_TIMEOUT, self.try_to_enter()).await;
            match attempt.unwrap_or_else(|_| Err(anyhow!("no answer"))) {
                Ok(entered) => return Ok(entered),
                Err(error) if Instant::now() > deadline => {
                    bail!("nobody gets in within {} s: {error:#}", TIMEOUT.as_secs())
                }
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    async fn try_to_enter(&mut self) -> Result<Entered> {
        let transport = match self.kind {
            ClientKind::SocketIo => Transport::SocketIo,
            ClientKind::WebSocket => Transport::WebSocket,
            ClientKind::Colyseus => {
                let mut member = ColyseusMember::new(self.address, self.token.clone());
                member.join(&self.room, &Received::default()).await?;
                return Ok(Entered::Colyseus(member));
            }
        };
        self.join(transport).await.map(Entered::Socket)
    }

    async fn join(&mut self, transport: Transport) -> Result<Connection> {
        let lost = |disconnect| anyhow!("{disconnect:?}");
        let mut connection =
            Connection::open(self.address, transport, &self.token, None).await.map_err(lost)?;
        let mut payload = json!({"groupId": self.room});
        if let Some(token) = &self.resume_token {
            payload["resumeToken"] = token.as_str().into();
        }
        connection.send_request("room:join", &payload).await.map_err(lost)?;
        loop {
            if let Incoming::Ack { data, .. } = connection.receive().await.map_err(lost)? {
                let ack: Value = serde_json::from_str(data.get())?;
                ensure!(ack["success"] == true, "{ack}");
                self.resume_token = ack["data"]["resumeToken"].as_str().map(str::to_owned);
                return Ok(connection);
            }
        }
    }
}

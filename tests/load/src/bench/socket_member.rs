//! A member on a Socket.IO connection or a plain WebSocket.

use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use tokio::time::{Instant, sleep_until};

use super::{
    commands::Command,
    crowd::{Orders, Received, Step},
};
use crate::{
    connection::{Connection, Disconnect},
    wire::Incoming,
};

/// Codes of refusals after which a client tries again.
const TEMPORARY: [&str; 3] = ["OVERLOADED", "RATE_LIMITED", "UNAVAILABLE"];

/// How long a member waits after such a refusal.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// A member on a socket that stays open.
pub struct SocketMember {
    connection: Connection,
    pending: Option<Pending>,
    /// The number of the last document that was shared in the room.
    document: u64,
}

#[derive(Deserialize)]
struct Ack {
    success: bool,
    code: Option<String>,
    data: Option<Shows>,
}

/// What shows a snippet.
#[derive(Deserialize)]
struct Shows {
    snippet: Option<Snippet>,
}

#[derive(Deserialize)]
struct Snippet {
    number: u64,
    editors: String,
}

/// A step whose ack has not come.
struct Pending {
    step: Step,
    due: Instant,
    request: u64,
    /// When the step is sent again, after a refusal.
    retry_at: Option<Instant>,
}

impl SocketMember {
    pub fn new(connection: Connection) -> Self {
        Self { connection, pending: None, document: 0 }
    }

    /// Does the steps, and receives all messages.
    pub async fn run(mut self, mut orders: Orders) {
        loop {
            let retry_at = self.pending.as_ref().and_then(|pending| pending.retry_at);
            let ack = tokio::select! {
                step = orders.steps.recv(), if self.pending.is_none() => match step {
                    Some((step, due)) => self.send(step, due).await.map(|()| None),
                    None => return,
                },
                () = sleep_until(retry_at.unwrap_or_else(Instant::now)), if retry_at.is_some() => {
                    self.send_again().await.map(|()| None)
                }
                incoming = self.receive(&orders.received) => incoming.and_then(|incoming| self.handle(incoming)),
            };
            let Some(ack) = ack.transpose() else { continue };
            let has_failed = ack.is_err();
            if orders.acks.send(ack).is_err() || has_failed {
                return;
            }
        }
    }

    async fn send(&mut self, step: Step, due: Instant) -> Result<()> {
        let (event, payload) = match &step {
            Step::Join(room) => ("room:join", json!({"groupId": &**room})),
            Step::Leave => ("room:leave", json!({})),
            Step::Command { command, member, repeat } => {
                (command.event(), command.payload(*member, *repeat, self.document))
            }
            Step::ShareDocument => ("code:share", json!({"text": "", "editors": "together"})),
            Step::OpenDocument => ("document:open", json!({"number": self.document})),
            Step::EndWatch => (Command::Watch.event(), json!({"ids": []})),
        };
        let request = self.connection.send_request(event, &payload).await.map_err(lost)?;
        self.pending = Some(Pending { step, due, request, retry_at: None });
        Ok(())
    }

    async fn send_again(&mut self) -> Result<()> {
        match self.pending.take() {
            Some(Pending { step, due, .. }) => self.send(step, due).await,
            None => Ok(()),
        }
    }

    async fn receive(&mut self, received: &Received) -> Result<Incoming> {
        let before = self.connection.received_bytes();
        let incoming = self.connection.receive().await.map_err(lost)?;
        received.add(self.connection.received_bytes() - before);
        Ok(incoming)
    }

    /// Returns how long the pending step took if this is its ack and the service has not refused it for now.
    fn handle(&mut self, incoming: Incoming) -> Result<Option<Duration>> {
        match incoming {
            Incoming::Event { name, data } if name == "code:shared" => {
                self.remember_document(serde_json::from_str(data.get())?);
                Ok(None)
            }
            Incoming::Ack { id, data } => self.handle_ack(id, &data),
            _ => Ok(None),
        }
    }

    fn remember_document(&mut self, shows: Shows) {
        if let Some(Snippet { number, editors }) = shows.snippet
            && editors == "together"
        {
            self.document = self.document.max(number);
        }
    }

    fn handle_ack(&mut self, id: u64, data: &RawValue) -> Result<Option<Duration>> {
        let Some(pending) = self.pending.as_mut().filter(|pending| pending.request == id) else {
            return Ok(None);
        };
        let Ack { success, code, data: shows } = serde_json::from_str(data.get())?;
        if !success {
            let may_retry = code.is_some_and(|code| TEMPORARY.contains(&code.as_str()));
            ensure!(may_retry, "a step is refused: {data}");
            pending.retry_at = Some(Instant::now() + RETRY_PAUSE);
            return Ok(None);
        }
        let latency = pending.due.elapsed();
        shows.into_iter().for_each(|shows| self.remember_document(shows));
        self.pending = None;
        Ok(Some(latency))
    }
}

fn lost(disconnect: Disconnect) -> anyhow::Error {
    anyhow!("a member has lost the connection: {disconnect:?}")
}

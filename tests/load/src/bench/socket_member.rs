//! A member on a Socket.IO connection or a plain WebSocket.

use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use serde::Deserialize;
use serde_json::json;
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
}

#[derive(Deserialize)]
struct Ack {
    success: bool,
    code: Option<String>,
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
        Self { connection, pending: None }
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
                incoming = self.receive(&orders.received) => incoming.and_then(|incoming| self.find_ack(incoming)),
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
            Step::Command { command, member, repeat } => (command.event(), command.payload(*member, *repeat)),
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
    fn find_ack(&mut self, incoming: Incoming) -> Result<Option<Duration>> {
        let Incoming::Ack { id, data } = incoming else { return Ok(None) };
        let Some(pending) = self.pending.as_mut().filter(|pending| pending.request == id) else {
            return Ok(None);
        };
        let Ack { success, code } = serde_json::from_str(data.get())?;
        if !success {
            let may_retry = code.is_some_and(|code| TEMPORARY.contains(&code.as_str()));
            ensure!(may_retry, "a step is refused: {data}");
            pending.retry_at = Some(Instant::now() + RETRY_PAUSE);
            return Ok(None);
        }
        let latency = pending.due.elapsed();
        self.pending = None;
        Ok(Some(latency))
    }
}

fn lost(disconnect: Disconnect) -> anyhow::Error {
    anyhow!("a member has lost the connection: {disconnect:?}")
}

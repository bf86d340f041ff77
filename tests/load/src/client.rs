//! One client on one socket. It passes every message about its room to its observer.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    connection::{Connection, Disconnect},
    observer::{Observer, Violation},
    shared::Shared,
    wire::{Incoming, Transport},
};

/// An ack that takes longer counts as lost.
const ACK_TIMEOUT: Duration = Duration::from_secs(30);

/// After these events the bridge closes the socket, and the membership is over.
const FINAL_EVENTS: &[&str] = &["room:ended", "room:replaced", "room:removed"];

/// One client on one socket. Dropping it drops the connection without a close.
pub struct Client {
    shared: Arc<Shared>,
    bridge: usize,
    connection: Connection,
    observer: Observer,
    is_membership_over: bool,
}

/// How a client connects.
pub struct Target<'a> {
    /// The index of the bridge.
    pub bridge: usize,
    /// The transport.
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
struct JoinData {
    recovered: bool,
    resume_token: String,
}

impl Client {
    /// Connects.
    pub async fn connect(shared: &Arc<Shared>, target: Target<'_>) -> Result<Self, Disconnect> {
        let Target { bridge, transport, user } = target;
        let token = shared.secrets.token_for(user).map_err(|error| Disconnect::Lost(error.to_string()))?;
        let _permit = shared.entry_permits.acquire().await;
        let connection = Connection::open(shared.bridges[bridge], transport, &token, None).await?;
        shared.metrics.sockets[bridge].add();
        shared.metrics.opened.add();
        let observer = Observer::new(user.to_owned());
        Ok(Self { shared: Arc::clone(shared), bridge, connection, observer, is_membership_over: false })
    }

    /// Joins a room. Returns the resume token, or the code of the refusal.
    pub async fn join(
        &mut self,
        room: &str,
        resume_token: Option<&str>,
    ) -> Result<Result<String, String>, Disconnect> {
        let shared = Arc::clone(&self.shared);
        let _permit = shared.entry_permits.acquire().await;
        let began = Instant::now();
        let mut request = json!({"groupId": room});
        if let Some(token) = resume_token {
            request["resumeToken"] = token.into();
        }
        let data = match self.request("room:join", &request).await? {
            Ok(data) => data,
            Err(code) => return Ok(Err(code)),
        };
        shared.metrics.record_join_latency(began.elapsed());
        shared.metrics.joins.add();
        self.observe(|observer| observer.observe_join(&data));
        let joined: JoinData = serde_json::from_str(data.get())
            .map_err(|error| Disconnect::ProtocolError(format!("{error} in {data}")))?;
        if joined.recovered {
            shared.metrics.recovered.add();
        }
        Ok(Ok(joined.resume_token))
    }

    /// Leaves the room.
    pub async fn leave(&mut self) -> Result<(), Disconnect> {
        if self.request("room:leave", &json!({})).await?.is_ok() {
            self.shared.metrics.leaves.add();
            self.observer.observe_leave();
        }
        Ok(())
    }

    /// Receives messages until a time.
    pub async fn receive_until(&mut self, end: Instant) -> Result<(), Disconnect> {
        while let Ok(incoming) = timeout_at(end, self.connection.receive()).await {
            self.handle(incoming?);
        }
        Ok(())
    }

    /// Sends a request without waiting for the ack.
    pub async fn send_request(&mut self, event: &str, data: &Value) -> Result<(), Disconnect> {
        self.connection.send_request(event, data).await.map(drop)
    }

    /// Sends any text.
    pub async fn send_text(&mut self, text: String) -> Result<(), Disconnect> {
        self.connection.send_text(text).await
    }

    /// Closes the socket with a close frame. A member who did not leave before has lost the connection then.
    pub async fn close(mut self) {
        let _ = timeout(ACK_TIMEOUT, self.connection.close()).await;
    }

    /// Whether an event ended the membership.
    pub fn is_membership_over(&self) -> bool {
        self.is_membership_over
    }

    /// Sends a request and waits for the ack. Returns its data, or the code of the refusal.
    async fn request(
        &mut self,
        event: &str,
        data: &Value,
    ) -> Result<Result<Box<RawValue>, String>, Disconnect> {
        let request_id = self.connection.send_request(event, data).await?;
        let end = Instant::now() + ACK_TIMEOUT;
        loop {
            let incoming = timeout_at(end, self.connection.receive())
                .await
                .map_err(|_| Disconnect::Lost(format!("no answer to {event}")))??;
            match incoming {
                Incoming::Ack { id, data } if id == request_id => return self.parse_ack(&data),
                incoming => self.handle(incoming),
            }
        }
    }

    fn parse_ack(&self, data: &RawValue) -> Result<Result<Box<RawValue>, String>, Disconnect> {
        match serde_json::from_str(data.get()) {
            Ok(Ack { success: true, data: Some(data), .. }) => Ok(Ok(data)),
            Ok(Ack { success: false, code: Some(code), .. }) => {
                self.shared.metrics.count_code(&code);
                Ok(Err(code))
            }
            _ => Err(Disconnect::ProtocolError(format!("an invalid ack: {data}"))),
        }
    }

    fn handle(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Event { name, data } => {
                self.shared.metrics.events.add();
                self.is_membership_over |= FINAL_EVENTS.contains(&name.as_str());
                self.observe(|observer| observer.observe_event(&name, &data));
            }
            // The ack of a request sent without waiting: a refusal is counted, and the ack of a repeated join shows the room.
            Incoming::Ack { data, .. } => {
                if let Ok(Ok(data)) = self.parse_ack(&data) {
                    self.observe(|observer| observer.observe_repeated_join(&data));
                }
            }
            _ => {}
        }
    }

    fn observe(&mut self, observe: impl FnOnce(&mut Observer) -> Result<(), Violation>) {
        if let Err(violation) = observe(&mut self.observer) {
            self.shared.metrics.record_violation(violation);
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.shared.metrics.sockets[self.bridge].remove();
        if self.observer.position().is_some() && !self.is_membership_over {
            self.shared.metrics.disconnects.add();
        }
    }
}

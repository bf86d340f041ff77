//! A member of a room of Colyseus: a seat is reserved over HTTP, and the socket of the seat is the membership.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use tokio::{net::TcpStream, time::sleep};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

use super::crowd::{Orders, Received, Step};

/// The first byte of messages: the room takes the client in, and the client confirms it.
const JOIN_ROOM: u8 = 10;

/// The client leaves for good.
const LEAVE_ROOM: u8 = 12;

/// The complete state of the room.
const ROOM_STATE: u8 = 14;

/// How often a member tries to join, and how long it waits in between.
const ATTEMPTS: u32 = 100;
const RETRY_PAUSE: Duration = Duration::from_millis(100);

type Socket = WebSocketStream<TcpStream>;

/// A member of at most one room.
pub struct ColyseusMember {
    address: SocketAddr,
    token: String,
    socket: Option<Socket>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Seat {
    session_id: String,
    room_id: String,
    process_id: String,
}

impl ColyseusMember {
    pub fn new(address: SocketAddr, token: String) -> Self {
        Self { address, token, socket: None }
    }

    /// Does the steps, and receives all messages.
    pub async fn run(mut self, mut orders: Orders) {
        loop {
            let message = async {
                match &mut self.socket {
                    Some(socket) => receive(socket, &orders.received).await,
                    None => std::future::pending().await,
                }
            };
            let ack = tokio::select! {
                step = orders.steps.recv() => {
                    let Some((step, due)) = step else { return };
                    self.execute(&step, &orders.received).await.map(|()| Some(due.elapsed()))
                }
                message = message => message.map(|_| None),
            };
            let Some(ack) = ack.transpose() else { continue };
            let has_failed = ack.is_err();
            if orders.acks.send(ack).is_err() || has_failed {
                return;
            }
        }
    }

    async fn execute(&mut self, step: &Step, received: &Received) -> Result<()> {
        match step {
            Step::Join(room) => {
                for _ in 1..ATTEMPTS {
                    if self.join(room, received).await.is_ok() {
                        return Ok(());
                    }
                    sleep(RETRY_PAUSE).await;
                }
                self.join(room, received).await
            }
            Step::Leave => self.leave(received).await,
            Step::Command { .. } | Step::ShareDocument | Step::OpenDocument | Step::EndWatch => {
                bail!("the service has no commands")
            }
        }
    }

    /// Joins a room, and waits for its state.
    pub async fn join(&mut self, room: &str, received: &Received) -> Result<()> {
        let Seat { session_id, room_id, process_id } = self.reserve_seat(room).await?;
        let url = format!("ws://{}/{process_id}/{room_id}?sessionId={session_id}", self.address);
        let (mut socket, _) = client_async(url, connect(self.address).await?).await?;
        loop {
            match receive(&mut socket, received).await?.first() {
                Some(&JOIN_ROOM) => socket.send(Message::binary(vec![JOIN_ROOM])).await?,
                Some(&ROOM_STATE) => break,
                _ => {}
            }
        }
        self.socket = Some(socket);
        Ok(())
    }

    async fn reserve_seat(&self, room: &str) -> Result<Seat> {
        let body = Full::<Bytes>::from(json!({"groupId": room}).to_string());
        let request = Request::post("/matchmake/joinOrCreate/study")
            .header("host", self.address.to_string())
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(body)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(connect(self.address).await?)).await?;
        let driver = tokio::spawn(connection);
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        driver.abort();
        ensure!(status.is_success(), "no seat: {status} {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).context("a seat")
    }

    /// Leaves for good, and waits until the server closes the socket.
    async fn leave(&mut self, received: &Received) -> Result<()> {
        let mut socket = self.socket.take().context("a member leaves who is in no room")?;
        socket.send(Message::binary(vec![LEAVE_ROOM])).await?;
        while receive(&mut socket, received).await.is_ok() {}
        Ok(())
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Receives the next message. Cancelling the wait loses none.
async fn receive(socket: &mut Socket, received: &Received) -> Result<Bytes> {
    loop {
        match socket.next().await.context("the server has closed a socket")?? {
            Message::Binary(bytes) => {
                received.add(bytes.len() as u64);
                return Ok(bytes);
            }
            Message::Close(frame) => bail!("the server closes a socket: {frame:?}"),
            _ => {}
        }
    }
}

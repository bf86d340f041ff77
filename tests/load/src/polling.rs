//! Socket.IO over long-polling, as far as a client that only polls needs it.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use serde::Deserialize;
use serde_json::Value;

use crate::wire::{Incoming, Transport, socketio::PONG};

/// Separates packets in one body.
const SEPARATOR: char = '\x1e';

/// Shorter than a bridge keeps an idle connection.
const IDLE_LIMIT: Duration = Duration::from_secs(30);

/// A client that only polls.
pub struct Polling {
    http: Client<HttpConnector, Full<Bytes>>,
    url: String,
    waiting: VecDeque<String>,
    last_id: u64,
}

#[derive(Deserialize)]
struct Handshake {
    sid: String,
}

impl Polling {
    /// Opens a session and connects with a token.
    pub async fn open(bridge: SocketAddr, token: &str) -> Result<Self> {
        let mut http = Client::builder(TokioExecutor::new());
        let http = http.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_LIMIT).build_http();
        let url = format!("http://{bridge}/socket.io/?EIO=4&transport=polling");
        let mut client = Self { http, url, waiting: VecDeque::new(), last_id: 0 };
        let opened = client.request("GET", "").await?;
        let handshake: Handshake = serde_json::from_str(opened.strip_prefix('0').context("an open packet")?)?;
        client.url = format!("{}&sid={}", client.url, handshake.sid);
        client.post(&Transport::SocketIo.connect_packet(token).context("a packet")?).await?;
        let connected = client.receive().await?;
        ensure!(matches!(connected, Incoming::Connected), "{connected:?} before the connect packet");
        Ok(client)
    }

    /// Sends a request. Returns the id that its ack carries.
    pub async fn send_request(&mut self, event: &str, data: &Value) -> Result<u64> {
        self.last_id += 1;
        self.post(&Transport::SocketIo.request(self.last_id, event, data)).await?;
        Ok(self.last_id)
    }

    /// Receives the next message, and answers pings.
    pub async fn receive(&mut self) -> Result<Incoming> {
        loop {
            while let Some(packet) = self.waiting.pop_front() {
                match Transport::SocketIo.parse(&packet)? {
                    Incoming::Ping => self.post(PONG).await?,
                    incoming => return Ok(incoming),
                }
            }
            let payload = self.request("GET", "").await?;
            self.waiting.extend(payload.split(SEPARATOR).map(str::to_owned));
        }
    }

    async fn post(&self, packet: &str) -> Result<()> {
        self.request("POST", packet).await.map(drop)
    }

    async fn request(&self, method: &str, body: &str) -> Result<String> {
        let request = || Request::builder().method(method).uri(&self.url).body(Full::from(body.to_owned()));
        let response = match self.http.request(request()?).await {
            Err(error) if is_closed_before_response(&error) => self.http.request(request()?).await?,
            response => response?,
        };
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        let body = String::from_utf8(body.into())?;
        ensure!(status.is_success(), "{method} is answered with {status} {body}");
        Ok(body)
    }
}

/// Whether the server closed an idle connection while the request was on its way. A browser sends such a request again.
fn is_closed_before_response(error: &hyper_util::client::legacy::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<hyper::Error>());
    source.is_some_and(hyper::Error::is_incomplete_message)
}

//! One socket to a bridge, and how it ends.

use std::{net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Error, Message, Utf8Bytes,
        client::IntoClientRequest,
        protocol::{CloseFrame, WebSocketConfig},
    },
};

use crate::wire::{Incoming, Transport, socketio::PONG};

/// How long a socket may take to open on a machine that is busy with thousands of others.
const OPEN_TIMEOUT: Duration = Duration::from_secs(60);

/// The library's default buffer would take more memory than all messages of a client.
const READ_BUFFER_BYTES: usize = 4096;

/// The code of a close frame without a code.
const NO_STATUS: u16 = 1005;

/// One socket to a bridge. Dropping it drops the connection without a close.
pub struct Connection {
    transport: Transport,
    stream: WebSocketStream<TcpStream>,
    last_id: u64,
    is_pong_due: bool,
    received_bytes: u64,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disconnect {
    /// The bridge sent a close frame with this code (1005 without one) and reason.
    Closed(u16, String),
    /// The bridge sent a disconnect packet of Socket.IO.
    Packet,
    /// The bridge refused the connection with this code.
    Refused(String),
    /// The connection broke, or never opened.
    Lost(String),
    /// The bridge broke the protocol.
    ProtocolError(String),
}

impl From<Error> for Disconnect {
    fn from(error: Error) -> Self {
        Self::Lost(error.to_string())
    }
}

impl From<Option<CloseFrame>> for Disconnect {
    fn from(frame: Option<CloseFrame>) -> Self {
        match frame {
            Some(frame) => Self::Closed(frame.code.into(), frame.reason.to_string()),
            None => Self::Closed(NO_STATUS, String::new()),
        }
    }
}

impl Connection {
    /// Opens a socket. `receive_buffer_bytes` sets the size of the kernel's buffer.
    pub async fn open(
        bridge: SocketAddr,
        transport: Transport,
        token: &str,
        receive_buffer_bytes: Option<u32>,
    ) -> Result<Self, Disconnect> {
        let opening = Self::open_without_timeout(bridge, transport, token, receive_buffer_bytes);
        timeout(OPEN_TIMEOUT, opening)
            .await
            .unwrap_or_else(|_| Err(Disconnect::Lost("never opened".to_owned())))
    }

    async fn open_without_timeout(
        bridge: SocketAddr,
        transport: Transport,
        token: &str,
        receive_buffer_bytes: Option<u32>,
    ) -> Result<Self, Disconnect> {
        let stream = connect(bridge, receive_buffer_bytes)
            .await
            .map_err(|error| Disconnect::Lost(error.to_string()))?;
        let mut request = format!("ws://{bridge}{}", transport.path()).into_client_request()?;
        if transport == Transport::WebSocket {
            let bearer = format!("Bearer {token}")
                .parse()
                .map_err(|_| Disconnect::Lost("an invalid token".to_owned()))?;
            request.headers_mut().insert("authorization", bearer);
        }
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
        let (stream, _) = client_async_with_config(request, stream, Some(config)).await?;
        let mut connection = Self { transport, stream, last_id: 0, is_pong_due: false, received_bytes: 0 };
        if let Some(packet) = transport.connect_packet(token) {
            connection.send_text(packet).await?;
            connection.wait_until_connected().await?;
        }
        Ok(connection)
    }

    async fn wait_until_connected(&mut self) -> Result<(), Disconnect> {
        loop {
            match self.receive().await? {
                Incoming::Opened => {}
                Incoming::Connected => return Ok(()),
                other => {
                    return Err(Disconnect::ProtocolError(format!("{other:?} before the connect packet")));
                }
            }
        }
    }

    /// Sends a request. Returns the id that its ack carries.
    pub async fn send_request(&mut self, event: &str, data: &Value) -> Result<u64, Disconnect> {
        self.last_id += 1;
        self.send_text(self.transport.request(self.last_id, event, data)).await?;
        Ok(self.last_id)
    }

    /// Sends any text.
    pub async fn send_text(&mut self, text: String) -> Result<(), Disconnect> {
        Ok(self.stream.send(Message::text(text)).await?)
    }

    /// Receives the next message, and answers pings. Cancelling the wait loses no message.
    pub async fn receive(&mut self) -> Result<Incoming, Disconnect> {
        loop {
            if self.is_pong_due {
                self.send_text(PONG.to_owned()).await?;
                self.is_pong_due = false;
            }
            let text = self.receive_text().await?;
            match self.transport.parse(&text) {
                Ok(Incoming::Ping) => self.is_pong_due = true,
                Ok(Incoming::Refused(code)) => return Err(Disconnect::Refused(code)),
                Ok(Incoming::Disconnected) => return Err(Disconnect::Packet),
                Ok(incoming) => return Ok(incoming),
                Err(error) => return Err(Disconnect::ProtocolError(format!("{error:#}: {text}"))),
            }
        }
    }

    async fn receive_text(&mut self) -> Result<Utf8Bytes, Disconnect> {
        loop {
            match self.stream.next().await {
                None => return Err(Disconnect::Lost("the stream ended".to_owned())),
                Some(message) => match message? {
                    Message::Text(text) => {
                        self.received_bytes += text.len() as u64;
                        return Ok(text);
                    }
                    Message::Close(frame) => return Err(frame.into()),
                    // The library answers pings.
                    Message::Ping(_) | Message::Pong(_) => {}
                    other => return Err(Disconnect::ProtocolError(format!("{other:?}"))),
                },
            }
        }
    }

    /// The bytes of all messages so far, without the heads of frames.
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// Closes with a close frame.
    pub async fn close(&mut self) {
        let _ = self.stream.close(None).await;
    }
}

async fn connect(bridge: SocketAddr, receive_buffer_bytes: Option<u32>) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    // TCP negotiates the window while it connects, so the size has to be set before.
    if let Some(bytes) = receive_buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    let stream = socket.connect(bridge).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

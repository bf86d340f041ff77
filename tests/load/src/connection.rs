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
    tungstenite::{Error, Message, client::IntoClientRequest, protocol::WebSocketConfig},
};

use crate::wire::{Incoming, Transport, socketio::PONG};

/// How long it may take until a socket is open, on a machine that is busy with thousands of others.
const OPEN_LIMIT: Duration = Duration::from_secs(60);

/// What is read at once. The library's own size would cost more memory than all that a client says and hears.
const READ_BUFFER_BYTES: usize = 4096;

/// One socket to a bridge. Dropping it is to go away without a word.
pub struct Connection {
    transport: Transport,
    stream: WebSocketStream<TcpStream>,
    last_id: u64,
    owes_pong: bool,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The bridge closed it, with a code (1005 if it named none) and a reason.
    Closed(u16, String),
    /// The bridge said goodbye in a packet of Socket.IO.
    Goodbye,
    /// The client was not let in; holds the code.
    Refused(String),
    /// It broke, or never came to be.
    Lost(String),
    /// The bridge said what no bridge should.
    Nonsense(String),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Lost(error.to_string())
    }
}

impl Connection {
    /// Opens a socket. `receive_buffer_bytes` is the size of the kernel's buffer, if it is to be another than usual.
    pub async fn open(
        bridge: SocketAddr,
        transport: Transport,
        token: &str,
        receive_buffer_bytes: Option<u32>,
    ) -> Result<Self, Ended> {
        let opening = Self::open_slowly(bridge, transport, token, receive_buffer_bytes);
        timeout(OPEN_LIMIT, opening).await.unwrap_or_else(|_| Err(Ended::Lost("never opened".to_owned())))
    }

    async fn open_slowly(
        bridge: SocketAddr,
        transport: Transport,
        token: &str,
        receive_buffer_bytes: Option<u32>,
    ) -> Result<Self, Ended> {
        let stream =
            connect(bridge, receive_buffer_bytes).await.map_err(|error| Ended::Lost(error.to_string()))?;
        let mut request = format!("ws://{bridge}{}", transport.path()).into_client_request()?;
        if transport == Transport::WebSocket {
            let bearer =
                format!("Bearer {token}").parse().map_err(|_| Ended::Lost("an odd token".to_owned()))?;
            request.headers_mut().insert("authorization", bearer);
        }
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
        let (stream, _) = client_async_with_config(request, stream, Some(config)).await?;
        let mut connection = Self { transport, stream, last_id: 0, owes_pong: false };
        if let Some(introduction) = transport.introduction(token) {
            connection.say(introduction).await?;
            connection.until_admitted().await?;
        }
        Ok(connection)
    }

    async fn until_admitted(&mut self) -> Result<(), Ended> {
        loop {
            match self.next().await? {
                Incoming::Opened => {}
                Incoming::Admitted => return Ok(()),
                other => return Err(Ended::Nonsense(format!("{other:?} before being admitted"))),
            }
        }
    }

    /// Sends a request. Returns the id that its ack will carry.
    pub async fn request(&mut self, event: &str, data: &Value) -> Result<u64, Ended> {
        self.last_id += 1;
        self.say(self.transport.request(self.last_id, event, data)).await?;
        Ok(self.last_id)
    }

    /// Sends any text.
    pub async fn say(&mut self, text: String) -> Result<(), Ended> {
        Ok(self.stream.send(Message::text(text)).await?)
    }

    /// What comes next; pings are answered. Nothing is lost when the wait is given up.
    pub async fn next(&mut self) -> Result<Incoming, Ended> {
        loop {
            if self.owes_pong {
                self.say(PONG.to_owned()).await?;
                self.owes_pong = false;
            }
            let message = match self.stream.next().await {
                None => return Err(Ended::Lost("the stream is over".to_owned())),
                Some(message) => message?,
            };
            let text = match message {
                Message::Text(text) => text,
                Message::Close(frame) => {
                    let (code, reason) = frame
                        .map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
                    return Err(Ended::Closed(code, reason));
                }
                // Answered by the library.
                Message::Ping(_) | Message::Pong(_) => continue,
                other => return Err(Ended::Nonsense(format!("{other:?}"))),
            };
            match self.transport.read(&text) {
                Ok(Incoming::Ping) => self.owes_pong = true,
                Ok(Incoming::Refused(code)) => return Err(Ended::Refused(code)),
                Ok(Incoming::Goodbye) => return Err(Ended::Goodbye),
                Ok(incoming) => return Ok(incoming),
                Err(error) => return Err(Ended::Nonsense(format!("{error:#}: {text}"))),
            }
        }
    }

    /// Closes politely.
    pub async fn close(&mut self) {
        let _ = self.stream.close(None).await;
    }
}

async fn connect(bridge: SocketAddr, receive_buffer_bytes: Option<u32>) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    // Before connecting, as the window is agreed on then.
    if let Some(bytes) = receive_buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    let stream = socket.connect(bridge).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

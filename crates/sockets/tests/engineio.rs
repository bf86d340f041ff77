//! A server of Engine.IO that echoes, and clients that send bytes over TCP.

#![expect(clippy::unwrap_used, reason = "a test, and its helpers")]

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::Request;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rollcall_sockets::{
    engineio::{Closed, EncodedText, Handler, Server, Settings, Socket},
    heartbeat::Timing,
    queue::QueueLimits,
    websocket::{MAX_STRANGER_BYTES, Message},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Only failures reach it.
const DEADLINE: Duration = Duration::from_secs(30);

const SETTINGS: Settings = Settings {
    timing: Timing { interval: Duration::from_secs(600), timeout: Duration::from_secs(600) },
    max_payload_bytes: 2 * MAX_STRANGER_BYTES,
    body_timeout: DEADLINE,
    queue: QueueLimits { max_bytes: 1_000_000, max_age: DEADLINE },
};

/// Sends every text back, knows the client after "hello", closes the session after "bye", and reports the end of each session.
struct Echo {
    closed: UnboundedSender<Closed>,
}

impl Handler for Echo {
    type Data = ();

    fn data(&self, _: &Request<()>) {}

    fn opened(self: &Arc<Self>, _: &Arc<Socket<()>>) {}

    fn text(self: &Arc<Self>, socket: &Arc<Socket<()>>, text: &str) {
        socket.send(&EncodedText::concat(&[text]), None);
        match text {
            "hello" => socket.set_known(),
            "bye" => socket.close(),
            _ => {}
        }
    }

    fn binary(self: &Arc<Self>, socket: &Arc<Socket<()>>, data: Bytes) {
        socket.send(&EncodedText::concat(&[&format!("{data:?}")]), None);
    }

    fn closed(&self, _: &Socket<()>, reason: Closed) {
        let _ = self.closed.send(reason);
    }

    fn sent(&self, _: std::time::Instant) {}
}

/// A running server, and the ends of its sessions.
struct Running {
    address: SocketAddr,
    closed: UnboundedReceiver<Closed>,
}

impl Running {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, closed) = unbounded_channel();
        let server = Arc::new(Server::new(Echo { closed: sender }, SETTINGS));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = Arc::clone(&server);
                let service = service_fn(move |request| {
                    let server = Arc::clone(&server);
                    async move { Ok::<_, Infallible>(server.handle(request).await) }
                });
                let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection.with_upgrades());
            }
        });
        Self { address, closed }
    }

    /// Sends a request on a connection of its own.
    async fn send(&self, head: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let request = format!("{head} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// Status and body of the response to a request.
    async fn ask(&self, head: &str, body: &str) -> (u16, String) {
        read_response(self.send(head, body).await).await
    }

    /// Opens a polling session. Returns the path of its requests.
    async fn open(&self) -> String {
        let (status, open) = self.ask("GET /engine.io/?EIO=4&transport=polling", "").await;
        assert_eq!(status, 200);
        let handshake: serde_json::Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
        format!("/engine.io/?EIO=4&transport=polling&sid={}", handshake["sid"].as_str().unwrap())
    }

    async fn next_closed(&mut self) -> Closed {
        timeout(DEADLINE, self.closed.recv()).await.unwrap().unwrap()
    }

    async fn open_websocket(&self, path: &str) -> WebSocketStream<TcpStream> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        client_async(format!("ws://{}{path}", self.address), stream).await.unwrap().0
    }

    /// Opens a WebSocket for a polling session. Tries again while the server still knows of an upgrade that broke off.
    async fn begin_upgrade(&self, path: &str) -> TcpStream {
        let path = path.replace("polling", "websocket");
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let upgrade = async {
            loop {
                let mut stream = TcpStream::connect(self.address).await.unwrap();
                stream.write_all(request.as_bytes()).await.unwrap();
                let mut head = [0; 12];
                stream.read_exact(&mut head).await.unwrap();
                if &head == b"HTTP/1.1 101" {
                    return stream;
                }
            }
        };
        timeout(DEADLINE, upgrade).await.unwrap()
    }
}

async fn read_response(mut stream: TcpStream) -> (u16, String) {
    let mut text = String::new();
    loop {
        let mut chunk = [0; 4096];
        let read = timeout(DEADLINE, stream.read(&mut chunk)).await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk[..read]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return (head[9..12].parse().unwrap(), body.to_owned());
        }
    }
}

#[tokio::test]
async fn packets_of_one_body_come_back_in_order() {
    let server = Running::start().await;
    let path = server.open().await;
    assert_eq!(server.ask(&format!("POST {path}"), "4a\u{1e}bAQID\u{1e}4b").await, (200, "ok".to_owned()));
    let (_, payload) = server.ask(&format!("GET {path}"), "").await;
    assert_eq!(payload, "4a\u{1e}4b\"\\x01\\x02\\x03\"\u{1e}4b");
}

#[tokio::test]
async fn the_end_comes_in_a_poll_of_its_own_after_the_last_messages() {
    let mut server = Running::start().await;
    let path = server.open().await;
    server.ask(&format!("POST {path}"), "4bye").await;
    assert_eq!(server.next_closed().await, Closed::ByServer);
    assert_eq!(server.ask(&format!("GET {path}"), "").await, (200, "4bye".to_owned()));
    assert_eq!(server.ask(&format!("GET {path}"), "").await, (200, "1".to_owned()));
    assert_eq!(server.ask(&format!("GET {path}"), "").await.0, 400, "the session is over");
}

#[tokio::test]
async fn after_the_client_has_closed_one_poll_is_answered_and_no_other() {
    for _ in 0..20 {
        let server = Running::start().await;
        let path = server.open().await;
        server.ask(&format!("POST {path}"), "1").await;
        assert_eq!(server.ask(&format!("GET {path}"), "").await, (200, "6".to_owned()));
        assert_eq!(server.ask(&format!("GET {path}"), "").await.0, 400);
    }
}

#[tokio::test]
async fn a_poll_that_is_given_up_ends_the_session() {
    let mut server = Running::start().await;
    let path = server.open().await;
    drop(server.send(&format!("GET {path}"), "").await);
    assert_eq!(server.next_closed().await, Closed::RequestAborted);
    let (status, body) = server.ask(&format!("GET {path}"), "").await;
    assert_eq!((status, body.as_str()), (400, r#"{"code":1,"message":"Session ID unknown"}"#));
}

#[tokio::test]
async fn a_second_poll_ends_the_session_and_the_first_poll() {
    let mut server = Running::start().await;
    let path = server.open().await;
    let first = server.send(&format!("GET {path}"), "").await;
    let second = server.send(&format!("GET {path}"), "").await;
    let mut statuses = [read_response(first).await, read_response(second).await];
    statuses.sort();
    assert_eq!((statuses[0].0, statuses[0].1.as_str(), statuses[1].0), (200, "1", 400));
    assert!(matches!(server.next_closed().await, Closed::Violation(_)));
}

#[tokio::test]
async fn an_upgrade_that_breaks_off_leaves_the_polling_session_as_it_was() {
    let mut server = Running::start().await;
    let path = server.open().await;
    for _ in 0..3 {
        let upgrade = server.begin_upgrade(&path).await;
        let poll = server.send(&format!("GET {path}"), "").await;
        drop(upgrade);
        server.ask(&format!("POST {path}"), "4still here").await;
        assert_eq!(read_response(poll).await, (200, "4still here".to_owned()));
    }
    server.ask(&format!("POST {path}"), "1").await;
    assert_eq!(server.next_closed().await, Closed::ByClient);
}

#[tokio::test]
async fn a_client_that_closes_its_websocket_gets_the_close_frame_back() {
    let mut server = Running::start().await;
    let mut websocket = server.open_websocket("/engine.io/?EIO=4&transport=websocket").await;
    assert!(matches!(websocket.next().await, Some(Ok(Message::Text(open))) if open.starts_with('0')));
    let probe = server.open_websocket(&server.open().await.replace("polling", "websocket")).await;
    for mut websocket in [websocket, probe] {
        websocket.close(None).await.unwrap();
        let answer = timeout(DEADLINE, websocket.next()).await.unwrap();
        assert!(matches!(answer, Some(Ok(Message::Close(_)))), "{answer:?}");
        assert!(websocket.next().await.is_none(), "a clean end");
    }
    assert_eq!(server.next_closed().await, Closed::ConnectionLost);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_and_the_session_goes_on() {
    let server = Running::start().await;
    let path = server.open().await;
    let post = format!("POST {path}");
    let body = |bytes: usize| format!("4{}", "x".repeat(bytes - 1));
    assert_eq!(server.ask(&post, &body(MAX_STRANGER_BYTES)).await.0, 200);
    assert_eq!(server.ask(&post, &body(MAX_STRANGER_BYTES + 1)).await.0, 413, "the client is a stranger");
    assert_eq!(server.ask(&post, "4hello").await.0, 200);
    assert_eq!(server.ask(&post, &body(MAX_STRANGER_BYTES + 1)).await.0, 200);
    assert_eq!(server.ask(&post, &body(SETTINGS.max_payload_bytes + 1)).await.0, 413);
    assert_eq!(server.ask(&post, "3").await.0, 200);
}

#[tokio::test]
async fn a_stranger_sends_little_over_a_websocket_and_a_known_client_as_much_as_is_allowed() {
    let mut server = Running::start().await;
    let large = format!("4{}", "x".repeat(MAX_STRANGER_BYTES + 1));
    for parts in [1, 9] {
        let mut stranger = server.open_websocket("/engine.io/?EIO=4&transport=websocket").await;
        for part in large.as_bytes().chunks(large.len().div_ceil(parts)) {
            let part = format!("4{}", String::from_utf8_lossy(part));
            let _ = stranger.send(Message::text(part)).await;
        }
        assert_eq!(server.next_closed().await, Closed::Violation("a message that is too large"), "{parts}");
    }
    let mut known = server.open_websocket("/engine.io/?EIO=4&transport=websocket").await;
    known.send(Message::text("4hello")).await.unwrap();
    assert!(matches!(known.next().await, Some(Ok(Message::Text(open))) if open.starts_with('0')));
    assert_eq!(known.next().await.unwrap().unwrap(), Message::text("4hello"));
    known.send(Message::text(&large)).await.unwrap();
    assert_eq!(known.next().await.unwrap().unwrap(), Message::text(&large));
}

//! Answers requests and knows the sockets that requests may name.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use hyper::body::Body;
use serde::Serialize;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::{
    Handler, Settings,
    id::random_id,
    packet::PING,
    polling,
    query::Query,
    response::{self, HttpResponse, WrongRequest},
    socket::{Closed, Polling, Socket, Transport},
    websocket,
};
use crate::websocket::{Upgrade, is_upgrade};

/// How long an ended session waits for the poll that takes its last packets.
const LAST_POLL_LIMIT: Duration = Duration::from_secs(5);

/// A server of Engine.IO.
pub struct Server<H: Handler> {
    handler: Arc<H>,
    settings: Settings,
    /// The sockets that receive over polling. No request names the others.
    polling: Mutex<HashMap<String, Arc<Socket<H::Data>>>>,
}

/// The open packet.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Open<'a> {
    sid: &'a str,
    upgrades: &'a [&'a str],
    ping_interval: u128,
    ping_timeout: u128,
    max_payload: usize,
}

impl<H: Handler> Server<H> {
    /// A server whose clients are handled by `handler`.
    pub fn new(handler: H, settings: Settings) -> Self {
        Self { handler: Arc::new(handler), settings, polling: Mutex::default() }
    }

    /// The socket that a request names, if the socket receives over polling.
    pub fn find(&self, uri: &Uri) -> Option<Arc<Socket<H::Data>>> {
        self.polling().get(Query::parse(uri).id?).cloned()
    }

    /// Answers a request. Polls wait until there is something to receive. A poll or post that is dropped before it is
    /// answered ends its session.
    pub async fn handle<B>(self: &Arc<Self>, request: Request<B>) -> HttpResponse
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        let (parts, body) = request.into_parts();
        let head = Request::from_parts(parts, ());
        let query = Query::parse(head.uri());
        let is_polling = match query.transport {
            "polling" => true,
            "websocket" => false,
            _ => return WrongRequest::UnknownTransport.into(),
        };
        let Some(id) = query.id else {
            return self.open(is_polling, head).unwrap_or_else(Into::into);
        };
        let Some(socket) = self.polling().get(id).cloned() else {
            return WrongRequest::UnknownSession.into();
        };
        match (is_polling, head.method()) {
            (true, &Method::GET) => polling::poll(&*self.handler, &socket).await,
            (true, &Method::POST) => polling::post(&self.handler, &self.settings, &socket, body).await,
            (false, _) if is_upgrade(head.headers()) => self.upgrade(socket, head),
            _ => WrongRequest::Bad.into(),
        }
    }

    fn open(self: &Arc<Self>, is_polling: bool, request: Request<()>) -> Result<HttpResponse, WrongRequest> {
        if request.method() != Method::GET {
            return Err(WrongRequest::Method);
        }
        if Query::parse(request.uri()).version != "4" {
            return Err(WrongRequest::Version);
        }
        let Ok(id) = random_id() else {
            tracing::error!("no random numbers");
            return Ok(response::empty(StatusCode::SERVICE_UNAVAILABLE));
        };
        if is_polling { Ok(self.open_polling(id, &request)) } else { self.open_websocket(id, request) }
    }

    fn open_polling(self: &Arc<Self>, id: String, request: &Request<()>) -> HttpResponse {
        let open = self.open_packet(&id, &["websocket"]);
        let transport = Transport::Polling(Polling::default());
        let data = self.handler.data(request);
        let socket = Arc::new(Socket::new(id.clone(), data, self.settings.queue, transport));
        self.polling().insert(id, Arc::clone(&socket));
        self.start(&socket);
        response::packets(open)
    }

    fn open_websocket(
        self: &Arc<Self>,
        id: String,
        mut request: Request<()>,
    ) -> Result<HttpResponse, WrongRequest> {
        let (response, upgrade) = self.accept(&mut request)?;
        let data = self.handler.data(&request);
        let server = Arc::clone(self);
        tokio::spawn(async move {
            let Ok(mut websocket) = upgrade.complete().await else { return };
            let open = server.open_packet(&id, &[]);
            let socket = Arc::new(Socket::new(id, data, server.settings.queue, Transport::WebSocket));
            if websocket.send(Message::text(open)).await.is_ok() {
                server.start(&socket);
                websocket::serve(&server.handler, &socket, websocket).await;
            }
        });
        Ok(response)
    }

    fn upgrade(self: &Arc<Self>, socket: Arc<Socket<H::Data>>, mut request: Request<()>) -> HttpResponse {
        let (response, upgrade) = match self.accept(&mut request) {
            Ok(accepted) if socket.begin_upgrade() => accepted,
            Ok(_) => return WrongRequest::Bad.into(),
            Err(wrong) => return wrong.into(),
        };
        let server = Arc::clone(self);
        tokio::spawn(async move {
            let Some(websocket) = websocket::upgrade(&socket, upgrade).await else { return };
            server.polling().remove(socket.id());
            websocket::serve(&server.handler, &socket, websocket).await;
        });
        response
    }

    fn accept(&self, request: &mut Request<()>) -> Result<(HttpResponse, Upgrade), WrongRequest> {
        // Like the official server, the server speaks whatever sub-protocol the client likes best.
        let first = |offered: &[&str]| HeaderValue::from_str(offered.first()?).ok();
        Upgrade::accept(request, self.settings.max_payload_bytes, first).map_err(|refused| {
            tracing::debug!(%refused, "engineio.not_upgraded");
            WrongRequest::Bad
        })
    }

    fn start(self: &Arc<Self>, socket: &Arc<Socket<H::Data>>) {
        tokio::spawn(Arc::clone(self).keep_alive(Arc::clone(socket)));
        self.handler.opened(socket);
    }

    /// Pings a client until its session ends, and then cleans up.
    async fn keep_alive(self: Arc<Self>, socket: Arc<Socket<H::Data>>) {
        let ping = || {
            socket.queue.push(Message::text(PING).into());
        };
        tokio::select! {
            () = socket.queue.closed() => {}
            () = socket.heartbeat.run(self.settings.timing, ping) => socket.fail(Closed::PingTimeout),
        }
        let (transport, reason) = {
            let state = socket.state();
            (state.transport, state.closed.unwrap_or(Closed::ByServer))
        };
        self.handler.closed(&socket, reason);
        if matches!(transport, Transport::Polling(_)) && reason.allows_last_poll() {
            let _ = timeout(LAST_POLL_LIMIT, socket.last_poll.notified()).await;
        }
        self.polling().remove(socket.id());
    }

    fn open_packet(&self, id: &str, upgrades: &[&str]) -> String {
        let Settings { timing, max_payload_bytes, .. } = self.settings;
        let open = Open {
            sid: id,
            upgrades,
            ping_interval: timing.interval.as_millis(),
            ping_timeout: timing.timeout.as_millis(),
            max_payload: max_payload_bytes,
        };
        format!("0{}", serde_json::to_string(&open).unwrap_or_default())
    }

    fn polling(&self) -> MutexGuard<'_, HashMap<String, Arc<Socket<H::Data>>>> {
        // Nothing panics while it holds the lock.
        self.polling.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

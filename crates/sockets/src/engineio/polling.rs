//! Long-polling: polls receive, posts send.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;
use tokio::time::timeout;

use super::{
    Handler, Settings,
    packet::{NOOP, Packet, SEPARATOR, parse_payload},
    response::{self, HttpResponse, WrongRequest},
    socket::{Closed, Polling, Socket, State, Transport},
};
use crate::websocket::MAX_STRANGER_BYTES;

/// Answers a poll as soon as there is something to receive.
pub(super) async fn poll<H: Handler>(handler: &H, socket: &Socket<H::Data>) -> HttpResponse {
    match Request::begin(socket, Kind::Poll) {
        Ok(mut request) => {
            let payload = poll_fn(|cx| next_payload(handler, socket, cx)).await;
            request.is_answered = true;
            response::packets(payload)
        }
        Err(wrong) => wrong.into(),
    }
}

/// Reads the packets in a post.
pub(super) async fn post<H: Handler>(
    handler: &Arc<H>,
    settings: &Settings,
    socket: &Arc<Socket<H::Data>>,
    body: impl Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
) -> HttpResponse {
    let mut request = match Request::begin(socket, Kind::Post) {
        Ok(request) => request,
        Err(wrong) => return wrong.into(),
    };
    let limit = if socket.known().get() { usize::MAX } else { MAX_STRANGER_BYTES };
    let body = Limited::new(body, settings.max_payload_bytes.min(limit)).collect();
    let body = match timeout(settings.body_timeout, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            request.is_answered = true;
            return response::empty(StatusCode::PAYLOAD_TOO_LARGE);
        }
        Ok(Err(_)) => return response::empty(StatusCode::BAD_REQUEST),
        Err(_) => {
            request.is_answered = true;
            return response::empty(StatusCode::REQUEST_TIMEOUT);
        }
    };
    request.is_answered = true;
    match receive_all(handler, socket, &body) {
        Ok(()) => response::posted(),
        Err(reason) => {
            socket.fail(Closed::Violation(reason));
            WrongRequest::Bad.into()
        }
    }
}

fn receive_all<H: Handler>(
    handler: &Arc<H>,
    socket: &Arc<Socket<H::Data>>,
    body: &[u8],
) -> Result<(), &'static str> {
    let text = std::str::from_utf8(body).map_err(|_| "a body that is not UTF-8")?;
    for packet in parse_payload(text) {
        let packet = packet.map_err(|_| "an invalid packet")?;
        if !socket.is_open() {
            // The session ended with one of the packets before.
            return Ok(());
        }
        match packet {
            Packet::Text(text) => handler.text(socket, text),
            Packet::Binary(data) => handler.binary(socket, data.into()),
            Packet::Pong => socket.receive_pong(),
            Packet::Close => socket.fail(Closed::ByClient),
            Packet::Probe => return Err("a ping of a client"),
            Packet::Upgrade | Packet::Noop => socket.count_needless(),
        }
    }
    Ok(())
}

/// The packets for the waiting poll.
fn next_payload<H: Handler>(handler: &H, socket: &Socket<H::Data>, cx: &mut Context<'_>) -> Poll<String> {
    // The lock is held so that no message is taken after the client has moved to its WebSocket.
    let mut state = socket.state();
    let State { transport: Transport::Polling(polling), closed } = &mut *state else {
        return Poll::Ready(NOOP.to_owned());
    };
    let mut payload = Payload::default();
    while let Poll::Ready(Some(message)) = socket.queue.poll_pop(cx) {
        payload.push(message.frame.to_text().unwrap_or_default());
        message.received_at.into_iter().for_each(|received_at| handler.sent(received_at));
    }
    // Alone in its payload: the official client delivers the messages of a payload only after it has read all of it, and
    // delivers none once it has read the end.
    if let Some(closed) = closed
        && payload.0.is_empty()
    {
        payload.push(closed.last_packet());
        polling.has_last_packet = true;
    }
    if std::mem::take(&mut polling.is_released) && payload.0.is_empty() {
        payload.push(NOOP);
    }
    if payload.0.is_empty() { Poll::Pending } else { Poll::Ready(payload.0) }
}

/// Packets in one body.
#[derive(Default)]
struct Payload(String);

impl Payload {
    fn push(&mut self, packet: &str) {
        if !self.0.is_empty() {
            self.0.push(SEPARATOR);
        }
        self.0.push_str(packet);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Poll,
    Post,
}

/// A request of a polling client. If the client gives up the request, the request is dropped without an answer, and the
/// session ends: a client only does that when it is gone.
struct Request<'a, D> {
    socket: &'a Socket<D>,
    kind: Kind,
    is_answered: bool,
}

impl<'a, D> Request<'a, D> {
    /// Begins a request, unless the client has one of the same kind already: then the session ends.
    fn begin(socket: &'a Socket<D>, kind: Kind) -> Result<Self, WrongRequest> {
        let mut state = socket.state();
        let State { transport: Transport::Polling(polling), closed } = &mut *state else {
            return Err(WrongRequest::Bad);
        };
        let is_open = match closed {
            None => true,
            Some(closed) => kind == Kind::Poll && closed.allows_last_poll() && !polling.has_last_packet,
        };
        if !is_open {
            return Err(WrongRequest::UnknownSession);
        }
        let overlaps = std::mem::replace(kind.flag(polling), true);
        drop(state);
        if overlaps {
            socket.fail(Closed::Violation("overlapping requests"));
            return Err(WrongRequest::Bad);
        }
        Ok(Self { socket, kind, is_answered: false })
    }
}

impl Kind {
    /// Whether the client has a request of this kind.
    fn flag(self, polling: &mut Polling) -> &mut bool {
        match self {
            Self::Poll => &mut polling.is_polling,
            Self::Post => &mut polling.is_posting,
        }
    }
}

impl<D> Drop for Request<'_, D> {
    fn drop(&mut self) {
        let mut state = self.socket.state();
        let Transport::Polling(polling) = &mut state.transport else { return };
        *self.kind.flag(polling) = false;
        let has_last_packet = polling.has_last_packet;
        drop(state);
        if !self.is_answered {
            self.socket.fail(Closed::RequestAborted);
        } else if has_last_packet && self.kind == Kind::Poll {
            self.socket.last_poll.notify_one();
        }
    }
}

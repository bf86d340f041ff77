//! One WebSocket from its upgrade to its end: a reader, and a writer behind a bounded queue.

use std::{
    error::Error as _,
    time::{Duration, Instant},
};

use axum::extract::ws::{Message, WebSocket};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use rollcall_protocol::{ErrorCode, Refusal, close::CloseReason};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::{
    sync::mpsc,
    time::{interval, timeout},
};
use tokio_util::sync::CancellationToken;
use tungstenite::error::CapacityError;

use super::{
    close,
    message::{self, Incoming, Unreadable},
};
use crate::{
    fanout::EncodedEvent,
    session::{Inbox, Outbound, Overflow, Reply, SOCKET_QUEUE, Session, auth},
    telemetry::{
        metrics::{self, Transport},
        trace::{Activity, ClientTrace},
    },
    transport::{SocketLimits, Sockets},
};

/// How long client and bridge may take to close.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// Serves a WebSocket until it is closed.
pub(super) async fn run(
    Sockets { context, limits }: Sockets,
    mut socket: WebSocket,
    token: Option<String>,
    trace: ClientTrace,
) {
    let authenticated = match trace.in_span(Activity::Connect, auth::authenticate(&context, token)).await {
        Ok(authenticated) => authenticated,
        Err(refusal) => {
            tracing::debug!(code = %refusal.code, "websocket.refused");
            let frame = close::frame(&CloseReason::Refused(refusal));
            let _ = timeout(CLOSE_LIMIT, socket.send(frame)).await;
            return;
        }
    };
    let (sink, frames) = socket.split();
    let (queue, queued) = mpsc::channel(SOCKET_QUEUE);
    let queue = Queue { frames: queue, overflow: CancellationToken::new() };
    let overflow = queue.overflow.clone();
    let inbox = Session::start(context, authenticated, trace, queue.clone());
    let reader = read(frames, inbox, queue, limits);
    let writer = write(sink, queued, overflow, limits.ping_interval);
    tokio::pin!(reader, writer);
    tokio::select! {
        () = &mut reader => {
            // The reader has dropped the inbox and the queue, so the writer ends after everything that is queued.
            let _ = timeout(CLOSE_LIMIT, writer).await;
        }
        () = &mut writer => {
            // The reader waits for the client's answer to the close frame.
            let _ = timeout(CLOSE_LIMIT, reader).await;
        }
    }
}

/// A frame, and for a room event when the event arrived from Redis.
type Queued = (Message, Option<Instant>);

/// Outgoing queue of one client.
#[derive(Clone)]
struct Queue {
    frames: mpsc::Sender<Queued>,
    /// Canceled when a frame finds the queue full.
    overflow: CancellationToken,
}

impl Queue {
    fn push(&self, frame: Message) -> Result<(), Overflow> {
        self.push_received(frame, None)
    }

    fn push_received(&self, frame: Message, received_at: Option<Instant>) -> Result<(), Overflow> {
        metrics::record_queue_depth(self.frames.max_capacity() - self.frames.capacity());
        match self.frames.try_send((frame, received_at)) {
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.overflow.cancel();
                Err(Overflow)
            }
            // A closed queue means that the socket is gone; the session learns of it by itself.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
        }
    }
}

impl Outbound for Queue {
    const TRANSPORT: Transport = Transport::WebSocket;

    fn broadcast(&self, event: &EncodedEvent) -> Result<(), Overflow> {
        self.push_received(Message::Text(event.websocket_frame(message::event)), Some(event.received_at))
    }

    fn emit(&self, event: &str, data: &impl Serialize) -> Result<(), Overflow> {
        self.push(Message::Text(message::emitted(event, data)))
    }

    async fn close(self, reason: CloseReason) {
        let _ = self.push(close::frame(&reason));
    }
}

/// Reads frames until the connection ends or has to be closed.
async fn read(mut frames: SplitStream<WebSocket>, inbox: Inbox, queue: Queue, limits: SocketLimits) {
    let silence_limit = limits.ping_interval + limits.ping_timeout;
    loop {
        let outcome = match timeout(silence_limit, frames.next()).await {
            Err(_) => queue.push(close::frame(&CloseReason::PingTimeout)),
            Ok(None | Some(Ok(Message::Close(_)))) => return,
            Ok(Some(Err(error))) if is_too_large(&error) => {
                queue.push(close::frame(&CloseReason::PayloadTooLarge))
            }
            Ok(Some(Err(_))) => return,
            Ok(Some(Ok(Message::Text(text)))) => {
                if receive(&text, &inbox, &queue).is_err() {
                    return;
                }
                continue;
            }
            Ok(Some(Ok(Message::Binary(_)))) => {
                let refusal = Refusal::because(ErrorCode::Malformed, "frames are text, not binary");
                if inbox.push(Err(refusal.clone()), emit_error(refusal, &queue)).is_err() {
                    return;
                }
                continue;
            }
            // The library answers pings. Both are signs of life.
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => continue,
        };
        if outcome.is_err() {
            tracing::debug!("websocket.close_frame_dropped");
        }
        return;
    }
}

fn receive(text: &str, inbox: &Inbox, queue: &Queue) -> Result<(), Overflow> {
    match Incoming::parse(text) {
        Ok(Incoming { event, id, data }) => inbox.push(Ok((event, data)), reply(id, queue)),
        Err(Unreadable { id: Some(id), refusal }) => inbox.push(Err(refusal), reply(Some(&id), queue)),
        Err(Unreadable { id: None, refusal }) => inbox.push(Err(refusal.clone()), emit_error(refusal, queue)),
    }
}

fn reply(id: Option<&RawValue>, queue: &Queue) -> Reply {
    let Some(id) = id.map(ToOwned::to_owned) else { return Box::new(|_| Ok(())) };
    let queue = queue.clone();
    Box::new(move |ack| queue.push(Message::Text(message::ack(&id, ack))))
}

/// Answers a frame without an id with the event `error`.
fn emit_error(refusal: Refusal, queue: &Queue) -> Reply {
    let queue = queue.clone();
    Box::new(move |_| queue.emit("error", &refusal))
}

fn is_too_large(error: &axum::Error) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<tungstenite::Error>());
    matches!(source, Some(tungstenite::Error::Capacity(CapacityError::MessageTooLong { .. })))
}

/// Writes queued frames and pings until a close frame has been written or the queue is closed.
async fn write(
    mut sink: SplitSink<WebSocket, Message>,
    mut queued: mpsc::Receiver<Queued>,
    overflow: CancellationToken,
    ping_interval: Duration,
) {
    tokio::select! {
        biased;
        () = overflow.cancelled() => {
            // The queued frames are dropped. A client that still reads learns why.
            let frame = close::frame(&CloseReason::TooSlow);
            let _ = timeout(CLOSE_LIMIT, sink.send(frame)).await;
        }
        _ = write_all(&mut sink, &mut queued, ping_interval) => {}
    }
}

async fn write_all(
    sink: &mut SplitSink<WebSocket, Message>,
    queued: &mut mpsc::Receiver<Queued>,
    ping_interval: Duration,
) -> Result<(), axum::Error> {
    let mut pings = interval(ping_interval);
    pings.reset();
    let mut received = Vec::new();
    loop {
        let frame = tokio::select! {
            frame = queued.recv() => frame,
            _ = pings.tick() => Some((Message::Ping(bytes::Bytes::new()), None)),
        };
        // Everything else that is queued goes out together with the frame.
        let mut next = frame;
        loop {
            let Some((frame, received_at)) = next else { return sink.flush().await };
            let is_last = matches!(frame, Message::Close(_));
            sink.feed(frame).await?;
            received.extend(received_at);
            if is_last {
                return sink.flush().await;
            }
            match queued.try_recv() {
                Ok(frame) => next = Some(frame),
                Err(_) => break,
            }
        }
        sink.flush().await?;
        for received_at in received.drain(..) {
            metrics::record_fan_out(Transport::WebSocket, received_at);
        }
    }
}

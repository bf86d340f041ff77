//! One WebSocket, from its upgrade to its end: a reader, and a writer behind a bounded queue.

use std::{
    error::Error as _,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::extract::ws::{Message, WebSocket};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use rollcall_protocol::{ErrorCode, Refusal};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::{
    sync::mpsc,
    time::{interval, timeout},
};
use tokio_util::sync::CancellationToken;
use tungstenite::error::CapacityError;

use super::{
    close::CloseCode,
    message::{self, Incoming, Unreadable},
};
use crate::{
    auth,
    config::Limits,
    gateway::Gateway,
    hub::Delivery,
    session::{Closing, Inbox, Outbound, Overflow, Reply, SOCKET_QUEUE, Session},
    telemetry::{
        metrics::{self, Transport},
        trace::{ClientTrace, Doing},
    },
};

/// How long the two sides may take to close.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// Serves a WebSocket until it is closed.
pub(super) async fn run(
    gateway: Arc<Gateway>,
    mut socket: WebSocket,
    token: Option<String>,
    trace: ClientTrace,
) {
    let admission = match trace.follow(Doing::Connect, auth::admit(&gateway, token)).await {
        Ok(admission) => admission,
        Err(refusal) => {
            tracing::debug!(code = %refusal.code, "websocket.refused");
            let _ = timeout(CLOSE_LIMIT, socket.send(CloseCode::refused(&refusal))).await;
            return;
        }
    };
    let limits = gateway.limits;
    let (sink, frames) = socket.split();
    let (queue, queued) = mpsc::channel(SOCKET_QUEUE);
    let queue = Queue { frames: queue, stuck: CancellationToken::new() };
    let stuck = queue.stuck.clone();
    let inbox = Session::start(gateway, admission, trace, queue.clone());
    let reader = read(frames, inbox, queue, limits);
    let writer = write(sink, queued, stuck, limits.ping_interval);
    tokio::pin!(reader, writer);
    tokio::select! {
        () = &mut reader => {
            // The reader has let go of the session and of the queue, so the writer ends after what is queued.
            let _ = timeout(CLOSE_LIMIT, writer).await;
        }
        () = &mut writer => {
            // The client's answer to the close frame.
            let _ = timeout(CLOSE_LIMIT, reader).await;
        }
    }
}

/// A frame that waits, and for a room event when it came from Redis.
type Queued = (Message, Option<Instant>);

/// What waits to be sent to a client.
#[derive(Clone)]
struct Queue {
    frames: mpsc::Sender<Queued>,
    /// Set when a frame found no space: the client does not read.
    stuck: CancellationToken,
}

impl Queue {
    fn push(&self, frame: Message) -> Result<(), Overflow> {
        self.push_received(frame, None)
    }

    fn push_received(&self, frame: Message, received_at: Option<Instant>) -> Result<(), Overflow> {
        metrics::queued(self.frames.max_capacity() - self.frames.capacity());
        match self.frames.try_send((frame, received_at)) {
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.stuck.cancel();
                Err(Overflow)
            }
            // A closed queue means that the socket is gone, which the session learns of by itself.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
        }
    }
}

impl Outbound for Queue {
    const TRANSPORT: Transport = Transport::WebSocket;

    fn send(&self, delivery: &Delivery) -> Result<(), Overflow> {
        self.push_received(Message::Text(delivery.frame(message::event)), Some(delivery.received_at))
    }

    fn tell(&self, event: &str, data: &impl Serialize) -> Result<(), Overflow> {
        self.push(Message::Text(message::told(event, data)))
    }

    async fn close(self, closing: Closing) {
        let _ = self.push(CloseCode::closing(&closing));
    }
}

/// Reads frames until the connection ends or has to.
async fn read(mut frames: SplitStream<WebSocket>, inbox: Inbox, queue: Queue, limits: Limits) {
    let silence_limit = limits.ping_interval + limits.ping_timeout;
    loop {
        let outcome = match timeout(silence_limit, frames.next()).await {
            Err(_) => queue.push(CloseCode::PingTimeout.frame("no answer to a ping")),
            Ok(None | Some(Ok(Message::Close(_)))) => return,
            Ok(Some(Err(error))) if is_too_big(&error) => {
                queue.push(CloseCode::TooBig.frame(ErrorCode::PayloadTooLarge.as_str()))
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
                if inbox.push(Err(refusal.clone()), complaint(refusal, &queue)).is_err() {
                    return;
                }
                continue;
            }
            // Answered by the library, and a sign of life.
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
        Err(Unreadable { id: None, refusal }) => inbox.push(Err(refusal.clone()), complaint(refusal, queue)),
    }
}

fn reply(id: Option<&RawValue>, queue: &Queue) -> Reply {
    let Some(id) = id.map(ToOwned::to_owned) else { return Box::new(|_| Ok(())) };
    let queue = queue.clone();
    Box::new(move |answer| queue.push(Message::Text(message::ack(&id, answer))))
}

/// What is said about a frame that has no ack.
fn complaint(refusal: Refusal, queue: &Queue) -> Reply {
    let queue = queue.clone();
    Box::new(move |_| queue.tell("error", &refusal))
}

fn is_too_big(error: &axum::Error) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<tungstenite::Error>());
    matches!(source, Some(tungstenite::Error::Capacity(CapacityError::MessageTooLong { .. })))
}

/// Writes what is queued, and pings, until a close frame has been written or the queue is closed.
async fn write(
    mut sink: SplitSink<WebSocket, Message>,
    mut queued: mpsc::Receiver<Queued>,
    stuck: CancellationToken,
    ping_interval: Duration,
) {
    tokio::select! {
        biased;
        () = stuck.cancelled() => {
            // What is queued is given up; a client that still listens learns why.
            let frame = CloseCode::closing(&Closing::TooSlow);
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
        // Whatever else is queued goes out together with it.
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
            metrics::fanned_out(Transport::WebSocket, received_at);
        }
    }
}

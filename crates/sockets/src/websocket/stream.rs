//! Reads and writes the frames of one WebSocket in one task.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream};
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message, Utf8Bytes, error::CapacityError},
};

use super::connection::{Connection, Known};
use crate::queue::Queue;

/// How long client and server may take to close.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A text message.
    Text(Utf8Bytes),
    /// A binary message.
    Binary(Bytes),
    /// A ping, which the library answers, or a pong.
    Control,
}

/// Why nothing more is read from a WebSocket.
#[derive(Debug)]
pub enum End {
    /// The client has closed the WebSocket, or the connection broke.
    Gone,
    /// The queue was closed, and everything in it has been written.
    QueueClosed,
    /// A message is larger than allowed, or a stranger sends more than allowed.
    TooLarge,
    /// The client violates the protocol of WebSockets.
    Invalid(Error),
}

/// A WebSocket. Reading a frame also writes what waits in the outgoing queue.
pub struct WebSocket {
    stream: WebSocketStream<Connection>,
    /// Whether frames may wait in the write buffer.
    is_dirty: bool,
    /// Arrival times of the events that were written and not flushed yet.
    unflushed: Vec<Instant>,
}

impl WebSocket {
    pub(super) fn new(stream: WebSocketStream<Connection>) -> Self {
        Self { stream, is_dirty: false, unflushed: Vec::new() }
    }

    /// Reads at most [`MAX_STRANGER_BYTES`](super::MAX_STRANGER_BYTES) from now on until the client is known. More is
    /// [`End::TooLarge`].
    pub fn limit_until(&mut self, known: Known) {
        self.stream.get_mut().limit_until(known);
    }

    /// Waits for the next frame and meanwhile writes what waits in the queue. While the queue is full, nothing is read:
    /// the client has to take its answers before it may ask for more. `on_sent` gets the arrival time of each event that
    /// has been handed to the operating system.
    ///
    /// # Errors
    ///
    /// [`End`] if there is no next frame.
    pub async fn next(&mut self, queue: &Queue, on_sent: impl Fn(Instant)) -> Result<Frame, End> {
        poll_fn(|cx| {
            if let Poll::Ready(end) = self.poll_write(cx, queue, &on_sent) {
                return Poll::Ready(Err(end));
            }
            if queue.is_full() {
                return Poll::Pending;
            }
            self.poll_read(cx)
        })
        .await
    }

    /// Sends one frame and waits until it is on its way.
    ///
    /// # Errors
    ///
    /// The connection broke.
    pub async fn send(&mut self, frame: Message) -> Result<(), Error> {
        self.stream.send(frame).await
    }

    /// Waits for the next frame and writes nothing.
    ///
    /// # Errors
    ///
    /// [`End`] if there is no next frame.
    pub async fn read(&mut self) -> Result<Frame, End> {
        poll_fn(|cx| self.poll_read(cx)).await
    }

    /// Closes the WebSocket: sends the frame, if there is one to send, and waits a moment for the client's answer. If the
    /// client has closed first, the library's answer is sent.
    pub async fn close(&mut self, frame: Option<Message>) {
        let closing = async {
            if let Some(frame) = frame {
                // Fails if the client has closed first.
                let _ = self.send(frame).await;
            }
            while self.read().await.is_ok() {}
        };
        let _ = timeout(CLOSE_LIMIT, closing).await;
    }

    /// Moves messages from the queue to the connection. Ready when nothing more will come, or the connection is broken.
    fn poll_write(&mut self, cx: &mut Context<'_>, queue: &Queue, on_sent: &impl Fn(Instant)) -> Poll<End> {
        loop {
            if ready!(Pin::new(&mut self.stream).poll_ready(cx)).is_err() {
                return Poll::Ready(End::Gone);
            }
            let Poll::Ready(popped) = queue.poll_pop(cx) else { break };
            let Some(message) = popped else {
                let end = match ready!(self.poll_flush(cx, on_sent)) {
                    Ok(()) => End::QueueClosed,
                    Err(_) => End::Gone,
                };
                return Poll::Ready(end);
            };
            self.unflushed.extend(message.received_at);
            self.is_dirty = true;
            if Pin::new(&mut self.stream).start_send(message.frame).is_err() {
                return Poll::Ready(End::Gone);
            }
        }
        if self.is_dirty && ready!(self.poll_flush(cx, on_sent)).is_err() {
            return Poll::Ready(End::Gone);
        }
        Poll::Pending
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>, on_sent: &impl Fn(Instant)) -> Poll<Result<(), Error>> {
        let flushed = ready!(Pin::new(&mut self.stream).poll_flush(cx));
        self.is_dirty = false;
        self.unflushed.drain(..).for_each(on_sent);
        Poll::Ready(flushed)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, End>> {
        let frame = match ready!(Pin::new(&mut self.stream).poll_next(cx)) {
            None | Some(Ok(Message::Close(_))) => Err(End::Gone),
            Some(Ok(Message::Text(text))) => Ok(Frame::Text(text)),
            Some(Ok(Message::Binary(data))) => Ok(Frame::Binary(data)),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(Frame::Control),
            Some(Err(error)) => Err(End::of(error)),
        };
        Poll::Ready(frame)
    }
}

impl End {
    fn of(error: Error) -> Self {
        match error {
            Error::Capacity(CapacityError::MessageTooLong { .. }) => Self::TooLarge,
            Error::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => Self::TooLarge,
            Error::Io(error) if error.kind() != io::ErrorKind::InvalidData => Self::Gone,
            Error::ConnectionClosed | Error::AlreadyClosed => Self::Gone,
            error => Self::Invalid(error),
        }
    }
}

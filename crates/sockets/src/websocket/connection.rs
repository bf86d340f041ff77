//! The connection below a WebSocket, on which a stranger sends only so much.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most bytes of a stranger: enough for several tokens.
pub const MAX_STRANGER_BYTES: usize = 32 * 1024;

/// Whether a client is known. Until then, it is a stranger.
#[derive(Debug, Default, Clone)]
pub struct Known(Arc<AtomicBool>);

impl Known {
    /// The client is known from now on.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether the client is known.
    #[must_use]
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    inner: TokioIo<Upgraded>,
    stranger: Option<Stranger>,
}

#[derive(Debug)]
struct Stranger {
    known: Known,
    bytes: usize,
}

impl Connection {
    pub(super) fn new(upgraded: Upgraded) -> Self {
        Self { inner: TokioIo::new(upgraded), stranger: None }
    }

    /// Fails to read more than [`MAX_STRANGER_BYTES`] before the client is known.
    pub(super) fn limit_until(&mut self, known: Known) {
        self.stranger = Some(Stranger { known, bytes: 0 });
    }

    fn count(&mut self, bytes: usize) -> io::Result<()> {
        let Some(stranger) = &mut self.stranger else { return Ok(()) };
        if stranger.known.get() {
            self.stranger = None;
            return Ok(());
        }
        stranger.bytes += bytes;
        if stranger.bytes > MAX_STRANGER_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(())
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        Poll::Ready(self.count(buf.filled().len() - before))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

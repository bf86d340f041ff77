//! Closes connections so that the client receives what was sent last.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    runtime::Handle,
    time::timeout,
};

use crate::limits::places::Place;

/// How long the bridge keeps reading from a connection that it has closed.
const LINGER_LIMIT: Duration = Duration::from_secs(2);

/// A client's connection.
///
/// If a connection is closed while received data is unread, TCP resets the connection, and the reset overtakes the data
/// that was sent last. A client whose frame is too large would then never learn why its connection is closed. Therefore
/// the stream, when it is dropped, keeps reading for a moment and discards what it reads. A connection that has lost its
/// place is closed at once, because nothing would limit how many such connections there are.
pub(super) struct ClientStream {
    stream: Option<TcpStream>,
    place: Arc<Place>,
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        let place = Arc::clone(&self.place);
        if place.is_evicted() {
            return;
        }
        // When the runtime has ended, no task can be spawned to linger.
        if let (Some(stream), Ok(runtime)) = (self.stream.take(), Handle::try_current()) {
            place.linger();
            runtime.spawn(async move {
                tokio::select! {
                    _ = timeout(LINGER_LIMIT, linger(stream)) => {}
                    () = place.evicted() => {}
                }
            });
        }
    }
}

async fn linger(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    let mut discarded = [0; 4096];
    while stream.read(&mut discarded).await? > 0 {}
    Ok(())
}

impl ClientStream {
    /// `silence_limit`: how long the client may acknowledge nothing of the data sent to it.
    pub(super) fn new(stream: TcpStream, place: Arc<Place>, silence_limit: Duration) -> Self {
        // Otherwise a small frame may wait until the client has acknowledged the previous frames.
        let _ = stream.set_nodelay(true);
        // Otherwise a write to a client that has vanished, or that does not read, waits until TCP gives up, which
        // happens after a quarter of an hour, or never.
        #[cfg(target_os = "linux")]
        let _ = socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(silence_limit));
        #[cfg(not(target_os = "linux"))]
        let _ = silence_limit;
        Self { stream: Some(stream), place }
    }

    /// The stream, which is present until this value is dropped.
    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(TcpStream::is_write_vectored)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::limits::places::{PlaceLimits, Places};

    #[tokio::test]
    async fn a_client_that_is_still_sending_receives_what_was_sent_last() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        client.write_all(&[0; 50_000]).await.unwrap();
        let limits =
            PlaceLimits { total: 1, without_session: 1, per_network: None, is_behind_proxies: false };
        let (stream, peer) = listener.accept().await.unwrap();
        let place = Places::new(limits).acquire(peer.ip()).unwrap();
        let mut accepted = ClientStream::new(stream, place, LINGER_LIMIT);
        accepted.write_all(b"too much").await.unwrap();
        drop(accepted);
        client.write_all(&[0; 50_000]).await.unwrap();
        let mut received = String::new();
        client.read_to_string(&mut received).await.unwrap();
        assert_eq!(received, "too much");
    }
}

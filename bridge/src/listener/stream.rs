//! Closes connections so that the last thing said is heard.

use std::{
    io,
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    runtime::Handle,
    time::timeout,
};

use crate::tally::Guard;

/// How long a connection is read from after it has been closed.
const LINGER_LIMIT: Duration = Duration::from_secs(2);

/// Counts among the connections that are open, and among those of its address, if those count.
pub(super) struct Place {
    pub(super) _of_all: Guard<()>,
    pub(super) _of_address: Option<Guard<IpAddr>>,
}

/// A client's connection.
///
/// A connection that is closed before everything in it was read is reset, and a reset overtakes what was sent
/// last: the client of a frame that is too large would never learn why it is closed. So what still comes is
/// read and thrown away for a moment.
pub(super) struct ClientStream {
    stream: Option<TcpStream>,
    place: Option<Place>,
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        // Outside of the runtime, at its end, nothing can linger.
        if let (Some(stream), Ok(runtime)) = (self.stream.take(), Handle::try_current()) {
            let place = self.place.take();
            runtime.spawn(async move {
                let _place = place;
                timeout(LINGER_LIMIT, linger(stream)).await
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
    /// `silence_limit`: for how long the client may take nothing of what it is sent.
    pub(super) fn new(stream: TcpStream, place: Place, silence_limit: Duration) -> Self {
        // Without it, small frames may wait for the acknowledgement of the ones before.
        let _ = stream.set_nodelay(true);
        // Else what is sent to a client that has vanished, or that does not read, keeps whoever writes it waiting until
        // TCP gives up, which takes a quarter of an hour or has no end.
        #[cfg(target_os = "linux")]
        let _ = socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(silence_limit));
        #[cfg(not(target_os = "linux"))]
        let _ = silence_limit;
        Self { stream: Some(stream), place: Some(place) }
    }

    /// The stream, which is there until it is dropped.
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
    use crate::tally::Tally;

    #[tokio::test]
    async fn the_last_words_are_heard_by_a_client_that_is_still_talking() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        client.write_all(&[0; 50_000]).await.unwrap();
        let place = Place { _of_all: Tally::new(1).enter(()).unwrap(), _of_address: None };
        let mut accepted = ClientStream::new(listener.accept().await.unwrap().0, place, LINGER_LIMIT);
        accepted.write_all(b"too much").await.unwrap();
        drop(accepted);
        client.write_all(&[0; 50_000]).await.unwrap();
        let mut heard = String::new();
        client.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "too much");
    }
}

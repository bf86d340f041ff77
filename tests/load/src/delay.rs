//! A network between clients and a bridge on which every byte takes a while.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::{Instant, sleep_until},
};

const CHUNK_BYTES: usize = 16 * 1024;

/// Most that is on its way in one direction of one connection. The sender waits when it is reached, as it would for a
/// receive window.
const MAX_BYTES_ON_THE_WAY: usize = 1024 * 1024;

/// A slow network in front of a bridge. Dropping it cuts all connections.
pub struct Delay {
    /// Where clients connect.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Delay {
    /// Delays every byte in each direction.
    pub async fn start(bridge: SocketAddr, delay: Duration) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            // The connections end with this task.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(pass(client, bridge, delay));
            }
        });
        Ok(Self { address, task })
    }
}

impl Drop for Delay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(client: TcpStream, bridge: SocketAddr, delay: Duration) -> std::io::Result<()> {
    let bridge = TcpStream::connect(bridge).await?;
    client.set_nodelay(true)?;
    bridge.set_nodelay(true)?;
    let (client_read, client_write) = client.into_split();
    let (bridge_read, bridge_write) = bridge.into_split();
    let (up, down) =
        tokio::join!(carry(client_read, bridge_write, delay), carry(bridge_read, client_write, delay));
    up.and(down)
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    delay: Duration,
) -> std::io::Result<()> {
    let mut on_the_way: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
    let (mut bytes, mut has_ended) = (0, false);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let next = on_the_way.front().map(|(due, _)| *due);
        tokio::select! {
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                let Some((_, data)) = on_the_way.pop_front() else { continue };
                bytes -= data.len();
                to.write_all(&data).await?;
            }
            read = from.read(&mut chunk), if !has_ended && bytes < MAX_BYTES_ON_THE_WAY => {
                let read = read?;
                has_ended = read == 0;
                bytes += read;
                if !has_ended {
                    on_the_way.push_back((Instant::now() + delay, chunk[..read].to_vec()));
                }
            }
            else => return to.shutdown().await,
        }
    }
}

//! Sessions over a WebSocket, from their beginning or after an upgrade.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::time::{sleep, timeout};

use super::{
    Handler,
    packet::{PROBE_ANSWER, Packet},
    socket::{Closed, Socket},
};
use crate::websocket::{End, Frame, Message, PROTOCOL_ERROR, TOO_LARGE, Upgrade, WebSocket, close_frame};

/// How long a client may take to move from polling to a WebSocket.
const UPGRADE_LIMIT: Duration = Duration::from_secs(10);

/// While a client moves, its polls end this often: the client may send one more before it learns that the probe was
/// answered.
const RELEASE_INTERVAL: Duration = Duration::from_millis(100);

/// Serves a session until it ends.
pub(super) async fn serve<H: Handler>(
    handler: &Arc<H>,
    socket: &Arc<Socket<H::Data>>,
    mut websocket: WebSocket,
) {
    websocket.limit_until(socket.known().clone());
    tokio::select! {
        biased;
        () = socket.evicted.notified() => {}
        () = exchange(handler, socket, &mut websocket) => return,
        () = socket.queue.close_deadline() => return,
    }
    // The client gets the frame if the connection takes it at once.
    let _ = websocket.close(Some(Message::Close(None))).now_or_never();
}

async fn exchange<H: Handler>(handler: &Arc<H>, socket: &Arc<Socket<H::Data>>, websocket: &mut WebSocket) {
    let frame = loop {
        match websocket.next(&socket.queue, |received_at| handler.sent(received_at)).await {
            Ok(frame) => {
                if let Err(reason) = receive(handler, socket, frame) {
                    socket.fail(reason);
                }
            }
            Err(End::Gone) => {
                socket.fail(Closed::ConnectionLost);
                break None;
            }
            Err(End::QueueClosed) => break Some(Message::Close(None)),
            Err(End::TooLarge) => {
                socket.fail(Closed::Violation("a message that is too large"));
                break Some(close_frame(TOO_LARGE, ""));
            }
            Err(End::Invalid(error)) => {
                tracing::debug!(socket_id = socket.id(), %error, "engineio.invalid_frame");
                socket.fail(Closed::Violation("an invalid frame"));
                break Some(close_frame(PROTOCOL_ERROR, ""));
            }
        }
    };
    websocket.close(frame).await;
}

fn receive<H: Handler>(handler: &Arc<H>, socket: &Arc<Socket<H::Data>>, frame: Frame) -> Result<(), Closed> {
    if !socket.is_open() {
        return Ok(());
    }
    match frame {
        Frame::Binary(data) => handler.binary(socket, data),
        Frame::Control => socket.count_needless(),
        Frame::Text(text) => match Packet::parse(&text) {
            Ok(Packet::Text(text)) => handler.text(socket, text),
            Ok(Packet::Binary(data)) => handler.binary(socket, data.into()),
            Ok(Packet::Pong) => socket.receive_pong(),
            Ok(Packet::Close) => return Err(Closed::ByClient),
            Ok(Packet::Upgrade | Packet::Noop) => socket.count_needless(),
            Ok(Packet::Probe) | Err(_) => return Err(Closed::Violation("an invalid packet")),
        },
    }
    Ok(())
}

/// Moves a polling session to a WebSocket. `None` means that the upgrade has failed, and that the session goes on over
/// polling.
pub(super) async fn upgrade<D>(socket: &Socket<D>, upgrade: Upgrade) -> Option<WebSocket> {
    let Ok(mut websocket) = upgrade.complete().await else {
        socket.end_upgrade();
        return None;
    };
    websocket.limit_until(socket.known().clone());
    let moved = tokio::select! {
        moved = timeout(UPGRADE_LIMIT, probe(socket, &mut websocket)) => moved.ok().flatten(),
        () = socket.queue.closed() => None,
    };
    if moved.is_some() {
        return Some(websocket);
    }
    socket.end_upgrade();
    tokio::select! {
        biased;
        () = websocket.close(Some(Message::Close(None))) => {}
        () = socket.evicted.notified() => {}
    }
    None
}

async fn probe<D>(socket: &Socket<D>, websocket: &mut WebSocket) -> Option<()> {
    expect(Packet::Probe, websocket).await?;
    websocket.send(Message::text(PROBE_ANSWER)).await.ok()?;
    let release_polls = async {
        loop {
            socket.release_poll();
            sleep(RELEASE_INTERVAL).await;
        }
    };
    tokio::select! {
        upgraded = expect(Packet::Upgrade, websocket) => upgraded?,
        () = release_polls => {}
    }
    socket.move_to_websocket().then_some(())
}

/// Waits for the next packet, which has to be the given one.
async fn expect(expected: Packet<'_>, websocket: &mut WebSocket) -> Option<()> {
    loop {
        match websocket.read().await.ok()? {
            Frame::Control => {}
            Frame::Text(text) => {
                return Packet::parse(&text).is_ok_and(|packet| packet == expected).then_some(());
            }
            Frame::Binary(_) => return None,
        }
    }
}

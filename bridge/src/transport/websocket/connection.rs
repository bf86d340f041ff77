//! One WebSocket from its upgrade to its end.

use std::sync::Arc;

use rollcall_protocol::{ErrorCode, Refusal, client::Handshake, close::CloseReason, server::ServerEvent};
use rollcall_sockets::{
    Utf8Bytes,
    flood::FloodLimit,
    heartbeat::{Heartbeat, Timing},
    queue::Queue,
    websocket::{End, Frame, Message, PROTOCOL_ERROR, WebSocket, close_frame},
};
use serde_json::value::RawValue;

use super::{
    close,
    message::{Incoming, Unreadable},
    outbound::Emitter,
};
use crate::{
    limits::SocketPermit,
    session::{Inbox, Outbound, Reply, Session, auth},
    telemetry::{
        metrics::{self, Transport},
        trace::{Activity, ClientTrace},
    },
    transport::{QUEUE_LIMITS, Sockets},
};

/// Serves a WebSocket until it is closed.
pub(super) async fn run(
    Sockets { context, limits }: Sockets,
    mut socket: WebSocket,
    permit: Option<SocketPermit>,
    handshake: Handshake,
    trace: ClientTrace,
) {
    permit.iter().for_each(SocketPermit::check_token);
    // In a box, because the connection should not hold space for what it does once.
    let authenticate = Box::pin(trace.in_span(Activity::Connect, auth::authenticate(&context, handshake)));
    let authenticated = match authenticate.await {
        Ok(authenticated) => authenticated,
        Err(refusal) => {
            tracing::debug!(code = %refusal.code, "websocket.refused");
            let eviction = permit.as_ref().map(SocketPermit::wait_for_token).unwrap_or_default();
            let closing = socket.close(Some(close::frame(&CloseReason::Refused(refusal))));
            eviction.run_until_cancelled(closing).await;
            return;
        }
    };
    permit.iter().for_each(SocketPermit::begin_session);
    let emitter = Emitter(Arc::new(Queue::new(QUEUE_LIMITS)));
    let inbox = Session::start(context, authenticated, trace, emitter.clone());
    let heartbeat = Heartbeat::default();
    let timing = Timing { interval: limits.ping_interval, timeout: limits.ping_timeout };
    let ping = || {
        emitter.0.push(Message::Ping(bytes::Bytes::new()).into());
    };
    let last = tokio::select! {
        last = serve(&mut socket, &inbox, &emitter, &heartbeat) => last,
        () = emitter.0.close_deadline() => None,
        () = heartbeat.run(timing, ping) => Some(close::frame(&CloseReason::PingTimeout)),
    };
    drop(inbox);
    socket.close(last).await;
}

/// Reads and writes frames until the connection ends or has to be closed. Returns the close frame that is still to be
/// sent, unless the client has closed or the session has sent one.
async fn serve(
    socket: &mut WebSocket,
    inbox: &Inbox,
    emitter: &Emitter,
    heartbeat: &Heartbeat,
) -> Option<Message> {
    let needless = FloodLimit::default();
    let on_sent = |received_at| metrics::record_fan_out(Transport::WebSocket, received_at);
    loop {
        match socket.next(&emitter.0, on_sent).await {
            Ok(frame) => {
                // Whatever a client sends is a sign of life.
                let is_needless = !heartbeat.answer() && frame == Frame::Control;
                if is_needless && needless.check().is_err() {
                    return Some(close::frame(&CloseReason::RateLimited));
                }
                receive(frame, inbox, emitter);
            }
            Err(End::Gone | End::QueueClosed) => return None,
            Err(End::TooLarge) => return Some(close::frame(&CloseReason::PayloadTooLarge)),
            Err(End::Invalid(error)) => {
                tracing::debug!(%error, "websocket.invalid_frame");
                return Some(close_frame(PROTOCOL_ERROR, ""));
            }
        }
    }
}

fn receive(frame: Frame, inbox: &Inbox, emitter: &Emitter) {
    match frame {
        Frame::Text(text) => receive_text(&text, inbox, emitter),
        Frame::Binary(_) => {
            let refusal = Refusal::because(ErrorCode::Malformed, "frames are text, not binary");
            inbox.push(Err(refusal.clone()), emit_error(refusal, emitter));
        }
        Frame::Control => {}
    }
}

fn receive_text(text: &Utf8Bytes, inbox: &Inbox, emitter: &Emitter) {
    match Incoming::parse(text) {
        Ok(Incoming { event, id, data }) => inbox.push(Ok((event, data)), reply(id, emitter)),
        Err(Unreadable { id: Some(id), refusal }) => inbox.push(Err(refusal), reply(Some(&id), emitter)),
        Err(Unreadable { id: None, refusal }) => {
            inbox.push(Err(refusal.clone()), emit_error(refusal, emitter));
        }
    }
}

fn reply(id: Option<&RawValue>, emitter: &Emitter) -> Reply {
    let Some(id) = id.map(ToOwned::to_owned) else { return Box::new(|_| ()) };
    let emitter = emitter.clone();
    Box::new(move |ack| emitter.ack(&id, ack))
}

/// Answers a frame without an id with the event `error`.
fn emit_error(refusal: Refusal, emitter: &Emitter) -> Reply {
    let emitter = emitter.clone();
    Box::new(move |_| emitter.emit(ServerEvent::Error, &refusal))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<A, B, C, D, E, F: Future>(_: impl Fn(A, B, C, D, E) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn an_idle_connection_holds_no_space_for_what_it_does_once() {
        let bytes = size_of_future(run);
        assert!(bytes <= 2304, "{bytes} bytes");
    }
}

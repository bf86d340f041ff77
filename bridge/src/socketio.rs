//! Socket.IO: translates between its packets and sessions.

use std::{
    borrow::Cow,
    fmt::Display,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rollcall_protocol::{ErrorCode, Refusal, client::Identity};
use serde::Deserialize;
use serde_json::value::RawValue;
use socketioxide::{
    SendError, SocketError, SocketIo,
    adapter::LocalAdapter,
    extract::{AckSender, SocketRef, TryData},
    handler::{ConnectHandler, FromConnectParts, FromMessageParts, MessageHandler, Value},
    layer::SocketIoLayer,
    socket::Socket,
};
use tokio::{sync::mpsc, time::sleep};

use crate::{
    auth,
    config::Limits,
    gateway::Gateway,
    hub::{Delivery, FEED_CAPACITY},
    session::{self, Closing, Command, Inbox, Outbound, Overflow, Reply, Session, refuse},
    telemetry::{
        metrics::{self, Transport},
        trace::{ClientTrace, Doing},
    },
};

/// How long a client may take from opening a connection to naming a namespace.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// How often closing is tried again while a client's queue is full.
const CLOSE_AGAIN: Duration = Duration::from_secs(1);

/// Makes the server. It refuses every namespace but those that [`serve`] adds.
pub(crate) fn layer(limits: Limits) -> (SocketIoLayer, SocketIo) {
    SocketIo::builder()
        .max_payload(limits.max_payload_bytes as u64)
        .ws_max_message_size(limits.max_payload_bytes)
        .ws_max_frame_size(limits.max_payload_bytes)
        .max_buffer_size(FEED_CAPACITY)
        .ping_interval(limits.ping_interval)
        .ping_timeout(limits.ping_timeout)
        .connect_timeout(CONNECT_LIMIT)
        .build_layer()
}

/// Serves a namespace.
pub(crate) fn serve(io: &SocketIo, namespace: String, gateway: Arc<Gateway>) {
    io.ns(namespace, Handshake(gateway));
}

/// The crate's own handlers run as tasks of their own, and so in no order. These run where the packet is read,
/// so that a session gets a client's events in the order in which they came.
struct InOrder;

/// Lets clients in.
#[derive(Clone)]
struct Handshake(Arc<Gateway>);

/// What a client sends along when it connects.
#[derive(Deserialize)]
struct Auth {
    token: Option<String>,
}

/// A session that starts as soon as its socket is connected.
#[derive(Clone)]
struct Prepared(Arc<Mutex<Option<Start>>>);

type Start = (Identity, mpsc::Receiver<Command>);

impl ConnectHandler<LocalAdapter, InOrder> for Handshake {
    fn call_middleware<'a>(
        &'a self,
        socket: Arc<Socket>,
        auth: &'a Option<Value>,
    ) -> Pin<Box<dyn Future<Output = Result<(), Box<dyn Display + Send>>> + Send + 'a>> {
        Box::pin(async move {
            let Ok(TryData(auth)) = TryData::<Auth>::from_connect_parts(&socket, auth);
            let token = auth.ok().and_then(|auth| auth.token);
            let token = token.or_else(|| auth::bearer(&socket.req_parts().headers));
            let trace = ClientTrace::of(&socket.req_parts().headers);
            match trace.follow(Doing::Connect, auth::identify(&self.0.app, token)).await {
                Ok(identity) => {
                    prepare(&socket, identity);
                    Ok(())
                }
                Err(Refusal { code, .. }) => {
                    tracing::debug!(socket_id = %socket.id, %code, "socketio.refused");
                    // The crate sends this as the error's message, and nothing beside it.
                    Err(Box::new(code) as Box<dyn Display + Send>)
                }
            }
        })
    }

    fn call(&self, socket: Arc<Socket>, _: Option<Value>) {
        let Some(Prepared(prepared)) = socket.extensions.remove::<Prepared>() else { return };
        let Some((identity, commands)) = lock(&prepared).take() else { return };
        let Ok(socket) = SocketRef::from_connect_parts(&socket, &None);
        let trace = ClientTrace::of(&socket.req_parts().headers);
        Session::start(Arc::clone(&self.0), identity, trace, Emitter(socket), commands);
    }
}

/// Sets up what a socket's events go to, before the client can send any.
fn prepare(socket: &Arc<Socket>, identity: Identity) {
    let (inbox, commands) = session::inbox();
    let inbox = Arc::new(Mutex::new(Some(inbox)));
    socket.extensions.insert(Prepared(Arc::new(Mutex::new(Some((identity, commands))))));
    socket.on_fallback(Receiver(Arc::clone(&inbox)));
    // The socket holds its handlers and the session holds the socket: the way in must be dropped by hand.
    socket.on_disconnect(move || async move { drop(lock(&inbox).take()) });
}

/// Takes all of a socket's events.
struct Receiver(Arc<Mutex<Option<Inbox>>>);

impl MessageHandler<LocalAdapter, InOrder> for Receiver {
    fn call(&self, socket: Arc<Socket>, mut packet: Value, ack_id: Option<i64>) {
        let Ok(ack) = AckSender::from_message_parts(&socket, &mut packet, &ack_id);
        let reply: Reply = Box::new(move |answer| queued(ack.send(answer)));
        let Some(inbox) = lock(&self.0).clone() else { return };
        let outcome = match parse(&packet) {
            Ok((event, payload)) => inbox.push(&event, payload, reply),
            Err(refusal) => refuse(reply, refusal),
        };
        if outcome == Err(Overflow) {
            // The next room event finds the queue full as well, and closes the socket.
            tracing::debug!(socket_id = %socket.id, "socketio.ack_dropped");
        }
    }
}

/// An event's name and its first argument.
fn parse(packet: &Value) -> Result<(Cow<'_, str>, Option<&RawValue>), Refusal> {
    let malformed = |message: &str| Refusal::because(ErrorCode::Malformed, message);
    let text = match packet {
        Value::Str(text, None) => text,
        Value::Str(text, Some(attachments)) if attachments.is_empty() => text,
        Value::Str(..) | Value::Bytes(_) => return Err(malformed("no event takes binary data")),
    };
    let items: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|_| malformed("an event is an array of a name and a payload"))?;
    let event = items.first().and_then(|name| serde_json::from_str(name.get()).ok());
    let event = event.ok_or_else(|| malformed("an event's name is a string"))?;
    Ok((event, items.get(1).copied()))
}

/// The way from a session to its Socket.IO client.
struct Emitter(SocketRef);

impl Outbound for Emitter {
    const TRANSPORT: Transport = Transport::SocketIo;

    fn send(&self, delivery: &Delivery) -> Result<(), Overflow> {
        queued(self.0.emit(&delivery.envelope.event, &delivery.envelope.data))?;
        metrics::fanned_out(Transport::SocketIo, delivery.received_at);
        Ok(())
    }

    async fn close(self, closing: Closing) {
        if closing == Closing::ShuttingDown {
            // A client that is told to disconnect stays away; one whose connection ends comes back. The server
            // ends all connections when the sessions are through.
            return;
        }
        if let Some(refusal) = closing.refusal() {
            let _ = self.0.emit("error", &refusal);
        }
        // At the latest the heartbeat finds out that the client does not read.
        while let Err(SocketError::InternalChannelFull) = self.0.clone().disconnect() {
            sleep(CLOSE_AGAIN).await;
        }
    }
}

/// Tells a full queue from a socket that is gone, which the session learns of by itself.
fn queued(outcome: Result<(), SendError>) -> Result<(), Overflow> {
    match outcome {
        Err(SendError::Socket(SocketError::InternalChannelFull)) => Err(Overflow),
        _ => Ok(()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

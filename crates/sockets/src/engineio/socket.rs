//! The state of one client.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Message;

use super::{EncodedText, packet};
use crate::{
    flood::FloodLimit,
    heartbeat::Heartbeat,
    queue::{Outgoing, Queue, QueueLimits, TooSlow},
    websocket::Known,
};

/// Why a session has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// The server has closed the session.
    ByServer,
    /// The server needs the place of the client.
    Evicted,
    /// The client has closed the session.
    ByClient,
    /// The client's WebSocket is gone.
    ConnectionLost,
    /// The client has given up a request that was not answered yet.
    RequestAborted,
    /// The client has not answered a ping.
    PingTimeout,
    /// The client violates the protocol.
    Violation(&'static str),
}

/// One client.
#[derive(Debug)]
pub struct Socket<D> {
    id: String,
    data: D,
    pub(super) queue: Queue,
    pub(super) heartbeat: Heartbeat,
    needless: FloodLimit,
    known: Known,
    state: Mutex<State>,
    /// Notified when the last packets of an ended session have been polled.
    pub(super) last_poll: Notify,
    /// Notified when nobody may wait for the client any longer.
    pub(super) evicted: Notify,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) transport: Transport,
    pub(super) closed: Option<Closed>,
}

/// How the client receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Polling(Polling),
    WebSocket,
}

/// What a polling client is doing.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Polling {
    pub(super) is_polling: bool,
    pub(super) is_posting: bool,
    pub(super) is_upgrading: bool,
    /// The waiting poll ends, so that the client can move to its WebSocket.
    pub(super) is_released: bool,
    /// A poll has got the last packet of the session.
    pub(super) has_last_packet: bool,
}

impl<D> Socket<D> {
    pub(super) fn new(id: String, data: D, limits: QueueLimits, transport: Transport) -> Self {
        Self {
            id,
            data,
            queue: Queue::new(limits),
            heartbeat: Heartbeat::default(),
            needless: FloodLimit::default(),
            known: Known::default(),
            state: Mutex::new(State { transport, closed: None }),
            last_poll: Notify::new(),
            evicted: Notify::new(),
        }
    }

    /// The session's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The client is no stranger from now on, so it may send messages as large as allowed.
    pub fn set_known(&self) {
        self.known.set();
    }

    pub(super) fn known(&self) -> &Known {
        &self.known
    }

    /// What the handler keeps for this client.
    pub fn data(&self) -> &D {
        &self.data
    }

    /// Queues a message, even if the queue is full. Returns how many messages waited already. `received_at`: when the event in
    /// the message arrived.
    pub fn send(&self, text: &EncodedText, received_at: Option<std::time::Instant>) -> usize {
        self.queue.push(Outgoing { frame: Message::Text(text.0.clone()), received_at })
    }

    /// Whether so much waits for the client that no more should be queued.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.queue.is_full()
    }

    /// Waits until the queue is not full.
    ///
    /// # Errors
    ///
    /// [`TooSlow`] if the client takes too little for too long.
    pub async fn wait_for_capacity(&self) -> Result<(), TooSlow> {
        self.queue.wait_for_capacity().await
    }

    /// Drops what is queued.
    pub fn clear(&self) {
        self.queue.clear();
    }

    /// Ends the session after everything that is queued.
    pub fn close(&self) {
        if self.end(Closed::ByServer) {
            self.queue.close();
        }
    }

    /// Ends the session at once, and waits neither for the client to take what is queued nor for it to close.
    pub fn evict(&self) {
        self.evicted.notify_one();
        self.fail(Closed::Evicted);
    }

    /// Counts a packet that the client need not have sent. Too many end the session.
    pub fn count_needless(&self) {
        if self.needless.check().is_err() {
            self.fail(Closed::Violation("a flood of packets without need"));
        }
    }

    /// The client has sent a pong.
    pub(super) fn receive_pong(&self) {
        if !self.heartbeat.answer() {
            self.count_needless();
        }
    }

    pub(super) fn fail(&self, reason: Closed) {
        if self.end(reason) {
            self.queue.clear();
            self.queue.close();
        }
    }

    fn end(&self, reason: Closed) -> bool {
        let mut state = self.state();
        let ends = state.closed.is_none();
        state.closed.get_or_insert(reason);
        ends
    }

    pub(super) fn is_open(&self) -> bool {
        self.state().closed.is_none()
    }

    /// Lets a client upgrade, unless another upgrade is under way or done.
    pub(super) fn begin_upgrade(&self) -> bool {
        match &mut *self.state() {
            State { transport: Transport::Polling(polling), closed: None } => {
                !std::mem::replace(&mut polling.is_upgrading, true)
            }
            _ => false,
        }
    }

    /// The upgrade has failed; the session stays as it is.
    pub(super) fn end_upgrade(&self) {
        if let Transport::Polling(polling) = &mut self.state().transport {
            polling.is_upgrading = false;
        }
    }

    /// Ends the waiting poll, if there is one: the client moves only after its poll has been answered.
    pub(super) fn release_poll(&self) {
        if let Transport::Polling(polling @ Polling { is_polling: true, .. }) = &mut self.state().transport {
            polling.is_released = true;
            self.queue.wake_writer();
        }
    }

    /// From now on the client receives over its WebSocket. Returns whether the session is still open.
    pub(super) fn move_to_websocket(&self) -> bool {
        let mut state = self.state();
        if state.closed.is_none() {
            state.transport = Transport::WebSocket;
            // A poll that still waits has to end.
            self.queue.wake_writer();
        }
        state.closed.is_none()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Closed {
    /// The last packet that a poll gets.
    pub(super) fn last_packet(self) -> &'static str {
        // A client that has closed the session expects no other packet.
        if self == Self::ByClient { packet::NOOP } else { packet::CLOSE }
    }

    /// Whether polls are answered after the end, up to the one that gets the last packet: the client has not taken
    /// everything, or has sent its close packet and the poll at the same time.
    pub(super) fn allows_last_poll(self) -> bool {
        matches!(self, Self::ByServer | Self::ByClient)
    }
}

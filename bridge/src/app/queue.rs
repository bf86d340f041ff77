//! The events of one kind that wait for a call.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rollcall_protocol::{EventJson, call::MAX_BODY_BYTES, event::EventKind};
use serde_json::value::RawValue;
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, timeout},
};

use super::error::AttemptError;
use crate::telemetry::{
    metrics::{self, WaitingEvent},
    trace::TraceParent,
};

/// Most events of one call. A call costs about as much as an event, so larger batches save little more, and one instance
/// of the app would handle them all while others are idle.
pub(super) const MAX_EVENTS: usize = 32;

/// More than a batch adds to the bytes of an event.
const ENVELOPE_BYTES: usize = 512;

/// How long events go alone after the app has refused a batch: an older app does so, until it is replaced.
pub(super) const ALONE_TIME: Duration = Duration::from_secs(60);

/// The app's response to one event, as JSON. Events of one call may share its error.
pub(super) type Outcome = Result<Box<RawValue>, Arc<AttemptError>>;

/// An event that waits for a call, or is in one.
pub(super) struct QueuedEvent {
    /// The same in every delivery of the event.
    pub(super) id: String,
    pub(super) json: Arc<EventJson>,
    /// What the event happened in.
    pub(super) trace: TraceParent,
    outcome: oneshot::Sender<Outcome>,
}

impl QueuedEvent {
    /// Hands the outcome to the caller, unless the caller has given up.
    pub(super) fn finish(self, outcome: Outcome) {
        let _ = self.outcome.send(outcome);
    }
}

/// The events of one kind that wait for a call.
pub(super) struct EventQueue {
    pub(super) kind: EventKind,
    state: Mutex<State>,
    added: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    alone_until: Option<Instant>,
}

/// An event that waits for a call.
struct Waiting {
    event: QueuedEvent,
    since: Instant,
    _metric: WaitingEvent,
}

impl From<QueuedEvent> for Waiting {
    fn from(event: QueuedEvent) -> Self {
        Self { event, since: Instant::now(), _metric: metrics::track_waiting_event() }
    }
}

impl EventQueue {
    pub(super) fn new(kind: EventKind) -> Self {
        Self { kind, state: Mutex::default(), added: Notify::new() }
    }

    /// Queues an event, and waits for its outcome. An event that is in no call after `wait_limit` is taken back.
    ///
    /// The event is not sent any more once the future is dropped.
    pub(super) async fn send(&self, id: &str, json: Arc<EventJson>, wait_limit: Duration) -> Outcome {
        let (outcome, mut received) = oneshot::channel();
        let event = QueuedEvent { id: id.to_owned(), json, trace: TraceParent::current(), outcome };
        self.state().waiting.push_back(event.into());
        self.added.notify_one();
        let received = match timeout(wait_limit, &mut received).await {
            Err(_) if self.take_back(id) => return Err(Arc::new(AttemptError::Overloaded)),
            // A call has a time limit of its own.
            Err(_) => received.await,
            Ok(received) => received,
        };
        // A call ends without an outcome only when the bridge stops.
        received.unwrap_or_else(|_| Err(Arc::new(AttemptError::NoOutcome)))
    }

    fn take_back(&self, id: &str) -> bool {
        let mut state = self.state();
        let position = state.waiting.iter().position(|waiting| waiting.event.id == id);
        position.and_then(|position| state.waiting.remove(position)).is_some()
    }

    /// Takes the oldest events, as many as one call may hold.
    pub(super) fn take(&self) -> Vec<QueuedEvent> {
        let mut state = self.state();
        let max_events = state.max_events(self.kind);
        let mut taken = Vec::new();
        let mut bytes = 0;
        while taken.len() < max_events
            && let Some(waiting) = state.waiting.front()
        {
            bytes += waiting.event.json.byte_len() + ENVELOPE_BYTES;
            if bytes > MAX_BODY_BYTES && !taken.is_empty() {
                break;
            }
            taken.extend(state.waiting.pop_front().map(|waiting| waiting.event));
            taken.pop_if(|event| event.outcome.is_closed());
        }
        taken
    }

    /// Puts events back that were taken and not sent, or have to be sent again at once.
    pub(super) fn put_back(&self, events: Vec<QueuedEvent>) {
        let mut state = self.state();
        for event in events.into_iter().rev() {
            state.waiting.push_front(event.into());
        }
        self.added.notify_one();
    }

    /// Sends each event in a call of its own for a while.
    pub(super) fn stop_batches(&self) {
        self.state().alone_until = Some(Instant::now() + ALONE_TIME);
    }

    /// Since when the oldest event waits, if one does.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        Some(self.state().waiting.front()?.since)
    }

    /// Whether the events that wait fill a call.
    pub(super) fn fills_call(&self) -> bool {
        let state = self.state();
        state.waiting.len() >= state.max_events(self.kind)
    }

    /// Waits until an event is added. Returns at once if one was added since the last time.
    pub(super) async fn added(&self) {
        self.added.notified().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn max_events(&self, kind: EventKind) -> usize {
        let goes_alone = self.alone_until.is_some_and(|until| Instant::now() < until);
        match kind {
            // A bridge sends few of them, each from one place that waits for it.
            EventKind::Heartbeat | EventKind::Read | EventKind::Sweep => 1,
            _ if goes_alone => 1,
            EventKind::Connect
            | EventKind::Join
            | EventKind::Leave
            | EventKind::Disconnect
            | EventKind::Timer
            | EventKind::Status
            | EventKind::Chat
            | EventKind::Code
            | EventKind::Lobby => MAX_EVENTS,
        }
    }
}

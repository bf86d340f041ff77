//! What a client asks of its session.

use std::{borrow::Cow, sync::Arc};

use rollcall_protocol::{
    ErrorCode, Refusal,
    client::{Ack, ClientEvent, Done},
};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc::{self, error::TrySendError};

use super::rate_limit::{Decision, SocketRateLimit};
use crate::telemetry::metrics;

/// Sends an ack to the client, if the client asked for one.
pub(crate) type Reply = Box<dyn FnOnce(&RawValue) + Send>;

/// What a client asks of its session.
pub(super) struct Command {
    pub(super) event: ClientEvent,
    /// The payload as the client sent it.
    pub(super) payload: Box<RawValue>,
    pub(super) reply: Reply,
}

/// An event as a client sent it: its name and its payload.
pub(crate) type RawEvent<'a> = (Cow<'a, str>, Option<&'a RawValue>);

/// The way into a session. When the last one is dropped, the session ends because its socket is gone.
#[derive(Clone)]
pub(crate) struct Inbox {
    commands: mpsc::Sender<Command>,
    rate_limit: Arc<SocketRateLimit>,
}

impl Inbox {
    pub(super) fn new(commands: mpsc::Sender<Command>, rate_limit: Arc<SocketRateLimit>) -> Self {
        Self { commands, rate_limit }
    }

    /// Hands a client's event to the session, or answers it at once where the session cannot take it. Transports push
    /// unreadable messages too, because every message counts towards the rate limit.
    pub(crate) fn push(&self, event: Result<RawEvent<'_>, Refusal>, reply: Reply) {
        let known = event.as_ref().ok().and_then(|(name, _)| ClientEvent::named(name));
        let rate_limited = || encode_ack::<Done>(known, Err(ErrorCode::RateLimited.into()));
        match self.rate_limit.check() {
            Decision::Handle => {}
            Decision::Refuse => return reply(&rate_limited()),
            Decision::Ignore => {
                rate_limited();
                return;
            }
        }
        let command = match (event, known) {
            (Err(refusal), _) => return reply(&encode_ack::<Done>(None, Err(refusal))),
            (Ok(_), None) => return reply(&encode_ack::<Done>(None, Err(ErrorCode::UnknownEvent.into()))),
            (Ok(_), Some(ClientEvent::Ping)) => return reply(&encode_ack(known, Ok(Done {}))),
            (Ok((_, payload)), Some(event)) => {
                Command { event, payload: payload.unwrap_or(RawValue::NULL).to_owned(), reply }
            }
        };
        match self.commands.try_send(command) {
            Err(TrySendError::Full(Command { reply, .. })) => reply(&rate_limited()),
            // A closed inbox means that the session has ended and is closing the socket.
            Ok(()) | Err(TrySendError::Closed(_)) => {}
        }
    }
}

/// Encodes the ack of an event and counts it. `event` is `None` where the name of the event is unknown.
pub(super) fn encode_ack<T: Serialize>(
    event: Option<ClientEvent>,
    outcome: Result<T, Refusal>,
) -> Box<RawValue> {
    metrics::record_client_event(event, outcome.as_ref().err().map(|refusal| refusal.code));
    // Only maps with keys that are not strings cannot be encoded, and no ack has one.
    serde_json::value::to_raw_value(&Ack::from(outcome)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, sync::Mutex};

    use super::*;
    use crate::session::{INBOX_CAPACITY, rate_limit::RateLimits};

    fn inbox(per_second: u32) -> (Inbox, mpsc::Receiver<Command>) {
        let rate = NonZeroU32::new(per_second).unwrap();
        let limits = Arc::new(RateLimits::new(rate, rate));
        let (commands, receiver) = mpsc::channel(INBOX_CAPACITY);
        (Inbox::new(commands, limits.for_socket("kim".parse().unwrap())), receiver)
    }

    fn reply() -> (Reply, Arc<Mutex<String>>) {
        let acked = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&acked);
        let reply = Box::new(move |ack: &RawValue| {
            *written.lock().unwrap() = ack.get().to_owned();
        });
        (reply, acked)
    }

    /// The ack that a client gets at once.
    fn ack_at_once(inbox: &Inbox, event: &str) -> String {
        let (reply, acked) = reply();
        inbox.push(Ok((event.into(), None)), reply);
        let acked = acked.lock().unwrap();
        acked.clone()
    }

    #[test]
    fn unknown_and_unreadable_events_are_answered_at_once() {
        let (inbox, mut commands) = inbox(100);
        assert!(ack_at_once(&inbox, "room:burn").contains("UNKNOWN_EVENT"));
        let (reply, acked) = reply();
        inbox.push(Err(ErrorCode::Malformed.into()), reply);
        assert!(acked.lock().unwrap().contains("MALFORMED"));
        assert!(commands.try_recv().is_err());
    }

    #[test]
    fn a_client_that_does_not_wait_for_acks_is_rate_limited() {
        let (inbox, _commands) = inbox(100);
        for _ in 0..INBOX_CAPACITY {
            assert_eq!(ack_at_once(&inbox, "room:leave"), "");
        }
        assert!(ack_at_once(&inbox, "room:leave").contains("RATE_LIMITED"));
    }

    #[test]
    fn a_client_that_sends_too_fast_is_rate_limited_for_a_while() {
        let (inbox, _commands) = inbox(1);
        assert_eq!(ack_at_once(&inbox, "room:leave") + &ack_at_once(&inbox, "room:leave"), "");
        assert!(ack_at_once(&inbox, "room:leave").contains("RATE_LIMITED"));
        assert!(ack_at_once(&inbox, "room:burn").contains("RATE_LIMITED"), "whatever the event");
        assert_eq!(ack_at_once(&inbox, "room:leave"), "", "not forever");
    }
}

//! What a client asks of its session.

use std::{borrow::Cow, sync::Arc};

use rollcall_protocol::{
    ErrorCode, Refusal,
    client::{Ack, ClientEvent, Done},
};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc::{self, error::TrySendError};

use super::{
    Overflow,
    pace::{Pace, Verdict},
};
use crate::telemetry::metrics;

/// Sends an ack to the client, if it asked for one.
pub(crate) type Reply = Box<dyn FnOnce(&RawValue) -> Result<(), Overflow> + Send>;

/// What a client asks of its session.
pub(super) struct Command {
    pub(super) event: ClientEvent,
    /// As the client sent it.
    pub(super) payload: Box<RawValue>,
    /// Where the ack goes.
    pub(super) reply: Reply,
}

/// An event as a client sent it: its name and its payload.
pub(crate) type Sent<'a> = (Cow<'a, str>, Option<&'a RawValue>);

/// The way into a session. When the last one is dropped, the session takes its socket for gone.
#[derive(Clone)]
pub(crate) struct Inbox {
    commands: mpsc::Sender<Command>,
    pace: Arc<Pace>,
}

impl Inbox {
    pub(super) fn new(commands: mpsc::Sender<Command>, pace: Arc<Pace>) -> Self {
        Self { commands, pace }
    }

    /// Hands a client's event to the session, or answers it at once if that cannot be. Whatever a client sends is
    /// to come here, even if it cannot be read, as all of it counts.
    pub(crate) fn push(&self, sent: Result<Sent<'_>, Refusal>, reply: Reply) -> Result<(), Overflow> {
        let event = sent.as_ref().ok().and_then(|(name, _)| ClientEvent::named(name));
        let too_many = || answer::<Done>(event, Err(ErrorCode::RateLimited.into()));
        match self.pace.judge() {
            Verdict::Handle => {}
            Verdict::Refuse => return reply(&too_many()),
            Verdict::Ignore => {
                too_many();
                return Ok(());
            }
        }
        let command = match (sent, event) {
            (Err(refusal), _) => return reply(&answer::<Done>(None, Err(refusal))),
            (Ok(_), None) => return reply(&answer::<Done>(None, Err(ErrorCode::UnknownEvent.into()))),
            (Ok((_, payload)), Some(event)) => {
                Command { event, payload: payload.unwrap_or(RawValue::NULL).to_owned(), reply }
            }
        };
        match self.commands.try_send(command) {
            Err(TrySendError::Full(Command { reply, .. })) => reply(&too_many()),
            // A closed one means that the session has ended and is closing the socket.
            Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
        }
    }
}

/// Writes the ack of an event, if its name is known, and counts it.
pub(super) fn answer<T: Serialize>(event: Option<ClientEvent>, outcome: Result<T, Refusal>) -> Box<RawValue> {
    metrics::client_event(event, outcome.as_ref().err().map(|refusal| refusal.code));
    // Only maps with keys that are not text cannot be written, and no ack has one.
    serde_json::value::to_raw_value(&Ack(outcome)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, sync::Mutex};

    use super::*;
    use crate::session::{
        INBOX_CAPACITY,
        pace::{Paces, Rates},
    };

    fn inbox(per_second: u32) -> (Inbox, mpsc::Receiver<Command>) {
        let rate = NonZeroU32::new(per_second).unwrap();
        let paces = Arc::new(Paces::new(Rates { per_socket: rate, per_user: rate }));
        let (commands, receiver) = mpsc::channel(INBOX_CAPACITY);
        (Inbox::new(commands, paces.of("kim".parse().unwrap())), receiver)
    }

    fn reply() -> (Reply, Arc<Mutex<String>>) {
        let told = Arc::new(Mutex::new(String::new()));
        let teller = Arc::clone(&told);
        let reply = Box::new(move |ack: &RawValue| {
            *teller.lock().unwrap() = ack.get().to_owned();
            Ok(())
        });
        (reply, told)
    }

    /// What a client is told at once.
    fn told(inbox: &Inbox, event: &str) -> String {
        let (reply, told) = reply();
        inbox.push(Ok((event.into(), None)), reply).unwrap();
        let told = told.lock().unwrap();
        told.clone()
    }

    #[test]
    fn what_is_no_event_is_answered_at_once() {
        let (inbox, mut commands) = inbox(100);
        assert!(told(&inbox, "room:burn").contains("UNKNOWN_EVENT"));
        let (reply, told) = reply();
        inbox.push(Err(ErrorCode::Malformed.into()), reply).unwrap();
        assert!(told.lock().unwrap().contains("MALFORMED"));
        assert!(commands.try_recv().is_err());
    }

    #[test]
    fn a_client_that_does_not_wait_for_answers_is_told_so() {
        let (inbox, _commands) = inbox(100);
        for _ in 0..INBOX_CAPACITY {
            assert_eq!(told(&inbox, "room:leave"), "");
        }
        assert!(told(&inbox, "room:leave").contains("RATE_LIMITED"));
    }

    #[test]
    fn a_client_that_sends_too_fast_is_told_so_for_a_while() {
        let (inbox, _commands) = inbox(1);
        assert_eq!(told(&inbox, "room:leave") + &told(&inbox, "room:leave"), "");
        assert!(told(&inbox, "room:leave").contains("RATE_LIMITED"));
        assert!(told(&inbox, "room:burn").contains("RATE_LIMITED"), "whatever it sends");
        assert_eq!(told(&inbox, "room:leave"), "", "and not for ever");
    }
}

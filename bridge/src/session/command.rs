//! What a client asks of its session.

use rollcall_protocol::{
    ErrorCode, Refusal,
    client::{Ack, ClientEvent, Done},
};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc::{self, error::TrySendError};

use super::Overflow;
use crate::telemetry::metrics;

/// Sends an ack to the client, if it asked for one.
pub(crate) type Reply = Box<dyn FnOnce(&RawValue) -> Result<(), Overflow> + Send>;

/// What a client asks of its session.
pub(crate) enum Command {
    /// Enter a room.
    Join {
        /// As the client sent it.
        payload: Box<RawValue>,
        /// Where the ack goes.
        reply: Reply,
    },
    /// Leave the room.
    Leave {
        /// Where the ack goes.
        reply: Reply,
    },
}

/// The way into a session. When the last one is dropped, the session takes its socket for gone.
#[derive(Clone)]
pub(crate) struct Inbox(mpsc::Sender<Command>);

impl Inbox {
    pub(super) fn new(sender: mpsc::Sender<Command>) -> Self {
        Self(sender)
    }

    /// Hands a client's event to the session, or answers it at once if that cannot be.
    pub(crate) fn push(&self, event: &str, payload: Option<&RawValue>, reply: Reply) -> Result<(), Overflow> {
        let command = match event {
            event if event == ClientEvent::Join.as_str() => {
                Command::Join { payload: payload.unwrap_or(RawValue::NULL).to_owned(), reply }
            }
            event if event == ClientEvent::Leave.as_str() => Command::Leave { reply },
            _ => return refuse(reply, ErrorCode::UnknownEvent),
        };
        match self.0.try_send(command) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(Command::Join { reply, .. })) => {
                reply(&answer::<Done>(Some(ClientEvent::Join), Err(ErrorCode::RateLimited.into())))
            }
            Err(TrySendError::Full(Command::Leave { reply })) => {
                reply(&answer::<Done>(Some(ClientEvent::Leave), Err(ErrorCode::RateLimited.into())))
            }
            // The session has ended and is closing the socket.
            Err(TrySendError::Closed(_)) => Ok(()),
        }
    }
}

/// Refuses what is no event that is known.
pub(crate) fn refuse(reply: Reply, refusal: impl Into<Refusal>) -> Result<(), Overflow> {
    reply(&answer::<Done>(None, Err(refusal.into())))
}

/// Writes the ack of an event, if its name is known, and counts it.
pub(super) fn answer<T: Serialize>(event: Option<ClientEvent>, outcome: Result<T, Refusal>) -> Box<RawValue> {
    metrics::client_event(event, outcome.as_ref().err().map(|refusal| refusal.code));
    // Only maps with keys that are not text cannot be written, and no ack has one.
    serde_json::value::to_raw_value(&Ack(outcome)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::session;

    fn reply() -> (Reply, Arc<Mutex<String>>) {
        let told = Arc::new(Mutex::new(String::new()));
        let teller = Arc::clone(&told);
        let reply = Box::new(move |ack: &RawValue| {
            *teller.lock().unwrap() = ack.get().to_owned();
            Ok(())
        });
        (reply, told)
    }

    #[test]
    fn unknown_events_are_answered_at_once() {
        let (inbox, _receiver) = session::inbox();
        let (reply, told) = reply();
        inbox.push("room:burn", None, reply).unwrap();
        assert!(told.lock().unwrap().contains("UNKNOWN_EVENT"));
    }

    #[test]
    fn a_client_that_sends_too_fast_is_told_so() {
        let (inbox, _receiver) = session::inbox();
        for _ in 0..session::INBOX_CAPACITY {
            inbox.push("room:leave", None, reply().0).unwrap();
        }
        let (reply, told) = reply();
        inbox.push("room:leave", None, reply).unwrap();
        assert!(told.lock().unwrap().contains("RATE_LIMITED"));
    }
}

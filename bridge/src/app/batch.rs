//! Makes one call with one event or several, and hands each event its outcome.

use std::{collections::HashMap, sync::Arc};

use rollcall_protocol::batch::{Batch, Outcome as BatchedOutcome, Outcomes};
use serde_json::value::RawValue;
use tracing::Span;

use super::{
    App,
    attempt::{self, Attempt},
    error::AttemptError,
    new_event_id, observe,
    queue::{EventQueue, Outcome, QueuedEvent},
};
use crate::clock;

type Response = Outcomes<BatchedOutcome<Box<RawValue>>>;

impl App {
    /// Makes one call with events of a queue.
    pub(super) async fn send(&self, queue: &EventQueue, mut events: Vec<QueuedEvent>) {
        if events.len() > 1 {
            self.send_together(queue, events).await;
        } else if let Some(event) = events.pop() {
            self.send_alone(queue, event).await;
        }
    }

    async fn send_alone(&self, queue: &EventQueue, event: QueuedEvent) {
        let sign = || event.json.sign(&event.id, &self.node, clock::now_s(), &self.secret);
        let attempt = Attempt { kind: queue.kind, request_id: &event.id, timeout: self.attempt_timeout() };
        let outcome = event.trace.enter(self.attempt(attempt, sign)).await.map_err(Arc::new);
        observe::record_event(queue.kind, &outcome);
        event.finish(outcome);
    }

    async fn send_together(&self, queue: &EventQueue, events: Vec<QueuedEvent>) {
        // Each client's trace has its own span for the call that the events share.
        let spans: Vec<Span> =
            events.iter().map(|event| event.trace.app_call_span(queue.kind, &event.id)).collect();
        let call_id = new_event_id();
        let attempt = Attempt { kind: queue.kind, request_id: &call_id, timeout: self.attempt_timeout() };
        let response = self
            .attempt::<Response>(attempt, || {
                let mut batch = Batch::new(queue.kind, &self.node);
                for (event, span) in events.iter().zip(&spans) {
                    if !batch.add(&event.id, event.trace.header(span).as_deref(), &event.json)? {
                        break;
                    }
                }
                batch.sign(&call_id, clock::now_s(), &self.secret)
            })
            .await;
        match response {
            Ok(response) => share_out(queue, events.into_iter().zip(spans), response),
            Err(AttemptError::Refused(refusal)) => {
                tracing::warn!(kind = queue.kind.ce_type(), events = events.len(), %refusal, "app.batch_refused");
                queue.stop_batches();
                queue.put_back(events);
            }
            Err(error) => {
                let error = Arc::new(error);
                for (event, span) in events.into_iter().zip(&spans) {
                    finish(queue, event, span, Err(Arc::clone(&error)));
                }
            }
        }
    }
}

/// Hands each event its outcome. Events that found no room in the call or its response are sent again.
fn share_out(queue: &EventQueue, events: impl Iterator<Item = (QueuedEvent, Span)>, response: Response) {
    let outcomes = response.outcomes.into_iter();
    let mut outcomes: HashMap<_, _> =
        outcomes.map(|BatchedOutcome { id, ack }| (id.to_string(), ack)).collect();
    let is_empty = outcomes.is_empty();
    let mut left = Vec::new();
    for (event, span) in events {
        match outcomes.remove(&event.id) {
            Some(ack) => finish(
                queue,
                event,
                &span,
                ack.into_result().map_err(|it| Arc::new(attempt::refused(it.code.status(), it))),
            ),
            // Each call must bring some events further.
            None if is_empty => finish(queue, event, &span, Err(Arc::new(AttemptError::NoOutcome))),
            None => left.push(event),
        }
    }
    queue.put_back(left);
}

fn finish(queue: &EventQueue, event: QueuedEvent, span: &Span, outcome: Outcome) {
    observe::record_batched_event(queue.kind, &event.id, span, &outcome);
    event.finish(outcome);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;
    use rollcall_protocol::{
        EventJson,
        event::{Connect, EventKind},
    };
    use serde_json::json;

    use super::*;

    fn response(outcomes: serde_json::Value) -> Response {
        serde_json::from_value(json!({"outcomes": outcomes})).unwrap()
    }

    /// Sends three events, of which the first call's response holds these outcomes. Returns the outcomes that the
    /// callers have got, and the ids of the events that wait for the next call.
    async fn share(outcomes: serde_json::Value) -> ([Option<Outcome>; 3], Vec<String>) {
        let queue = EventQueue::new(EventKind::Connect);
        let json = Arc::new(EventJson::new(&Connect { token: "t".into() }).unwrap());
        let mut sent =
            ["a", "b", "c"].map(|id| Box::pin(queue.send(id, Arc::clone(&json), Duration::from_secs(60))));
        for send in &mut sent {
            assert!(send.now_or_never().is_none());
        }
        let events = queue.take().into_iter().map(|event| (event, Span::none()));
        share_out(&queue, events, response(outcomes));
        let got = sent.each_mut().map(FutureExt::now_or_never);
        (got, queue.take().into_iter().map(|event| event.id).collect())
    }

    #[tokio::test]
    async fn each_event_gets_its_outcome_and_those_without_one_are_sent_again() {
        let refused = json!({"id": "b", "success": false, "code": "ROOM_FULL", "message": "full"});
        let outcomes = json!([refused, {"id": "c", "success": true, "data": {"n": 1}}]);
        let ([a, b, c], again) = share(outcomes).await;
        assert!(a.is_none());
        assert!(matches!(*b.unwrap().unwrap_err(), AttemptError::Refused(_)));
        assert_eq!(c.unwrap().unwrap().get(), r#"{"n":1}"#);
        assert_eq!(again, ["a"]);
    }

    #[tokio::test]
    async fn an_unavailable_event_is_tried_again_as_if_it_had_been_alone() {
        let outcomes = json!([{"id": "a", "success": false, "code": "UNAVAILABLE", "message": "redis"}]);
        let ([a, ..], _) = share(outcomes).await;
        let error = a.unwrap().unwrap_err();
        assert!(error.is_temporary() && error.was_sent() && !error.is_silence());
    }

    #[tokio::test]
    async fn a_response_without_outcomes_ends_every_event() {
        let (got, again) = share(json!([])).await;
        for outcome in got {
            assert!(outcome.unwrap().unwrap_err().is_temporary());
        }
        assert!(again.is_empty());
    }
}

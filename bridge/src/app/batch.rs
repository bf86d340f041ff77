//! Sends many events of one kind in one call.

use std::collections::HashMap;

use rollcall_protocol::{
    EventId, Refusal,
    batch::{Batch, BatchedEvent, Outcomes as WireOutcomes},
    call,
    client::Done,
    event::AppEvent,
};
use tracing::Span;

use super::{App, AppError, Attempt, AttemptError, Lane, into_app_error, new_event_id, observe};
use crate::{
    clock,
    telemetry::{
        metrics::CallOutcome,
        trace::{self, TraceParent},
    },
};

/// One event of a batch.
pub(crate) struct BatchItem<E> {
    pub(crate) id: EventId,
    pub(crate) event: E,
    /// What the event happened in.
    pub(crate) trace: TraceParent,
}

/// The outcome of each event by its id. An event without an outcome found no space in the call.
pub(crate) type Outcomes = HashMap<EventId, Result<Done, Refusal>>;

impl App {
    /// Sends events in one attempt, exempt from the limit of concurrent calls. One event goes as a call of its own.
    /// The error is that of the whole call.
    pub(crate) async fn send_batch<E: AppEvent<Response = Done> + Clone>(
        &self,
        items: &[&BatchItem<E>],
    ) -> Result<Outcomes, AppError> {
        match items {
            [item] => item.trace.enter(self.send_alone(item)).await,
            items => self.send_together(items).await,
        }
    }

    async fn send_alone<E: AppEvent<Response = Done> + Clone>(
        &self,
        item: &BatchItem<E>,
    ) -> Result<Outcomes, AppError> {
        let BatchItem { id, event, .. } = item;
        let sign = || call::sign(event, id.as_str(), &self.node, clock::now_s(), &self.secret);
        let outcome = match self.attempt::<Done>(self.exempt::<E>(id.as_str()), sign).await {
            Ok(done) => Ok(done),
            Err(AttemptError::Refused(refusal)) => Err(refusal),
            Err(error) => return Err(into_app_error(E::KIND, id.as_str(), error, 1)),
        };
        Ok(HashMap::from([(id.clone(), outcome)]))
    }

    async fn send_together<E: AppEvent<Response = Done> + Clone>(
        &self,
        items: &[&BatchItem<E>],
    ) -> Result<Outcomes, AppError> {
        // Each client's trace has its own span for the call that the events share.
        let spans: Vec<Span> =
            items.iter().map(|item| item.trace.app_call_span(E::KIND, item.id.as_str())).collect();
        let call_id = new_event_id();
        let response = self
            .attempt::<WireOutcomes>(self.exempt::<E>(&call_id), || {
                let mut batch = Batch::new(&self.node);
                for (item, span) in items.iter().zip(&spans) {
                    if !batch.add(&batched(item, span))? {
                        break;
                    }
                }
                batch.sign(&call_id, clock::now_s(), &self.secret)
            })
            .await;
        let response = response.map(into_outcomes);
        for (item, span) in items.iter().zip(&spans) {
            trace::record_outcome(span, label(&item.id, &response));
        }
        response.map_err(|error| into_app_error(E::KIND, &call_id, error, 1))
    }

    fn exempt<'a, E: AppEvent>(&self, request_id: &'a str) -> Attempt<'a> {
        Attempt { lane: Lane::Exempt, kind: E::KIND, request_id, timeout: self.timeout }
    }
}

fn batched<E: Clone>(item: &BatchItem<E>, span: &Span) -> BatchedEvent<E> {
    BatchedEvent { id: item.id.clone(), traceparent: item.trace.header(span), event: item.event.clone() }
}

fn into_outcomes(wire: WireOutcomes) -> Outcomes {
    wire.outcomes.into_iter().map(|outcome| (outcome.id, outcome.ack.into_result())).collect()
}

/// The outcome of one event of a shared call, for traces.
fn label(id: &EventId, response: &Result<Outcomes, AttemptError>) -> CallOutcome {
    match response {
        Ok(outcomes) => match outcomes.get(id) {
            Some(Ok(_)) => CallOutcome::Ok,
            Some(Err(refusal)) => CallOutcome::Refused(refusal.code),
            // The call had no space for the event.
            None => CallOutcome::GivenUp,
        },
        Err(error) => observe::failure(error),
    }
}

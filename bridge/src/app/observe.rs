//! Records each attempt to call the app: in a metric, a span, and a line of the log.

use rollcall_protocol::event::EventKind;
use tracing::{Instrument, Span};

use super::{error::AttemptError, queue::Outcome};
use crate::telemetry::{
    metrics::{self, CallOutcome},
    trace,
};

/// Runs one attempt and records it. The request carries the event's id, so the app's log names the same id.
pub(super) async fn call<T>(
    kind: EventKind,
    request_id: &str,
    attempt: impl Future<Output = Result<T, AttemptError>>,
) -> Result<T, AttemptError> {
    let metric = metrics::track_app_call(kind);
    async {
        let response = attempt.await;
        let outcome = response.as_ref().map_or_else(failure, |_| CallOutcome::Ok);
        trace::record_outcome(&Span::current(), outcome);
        tracing::debug!(request_id, kind = kind.ce_type(), outcome = outcome.as_str(), "app.called");
        metric.ended(outcome);
        response
    }
    .instrument(trace::app_call_span(kind, request_id))
    .await
}

/// Records one attempt to send an event.
pub(super) fn record_event(kind: EventKind, outcome: &Outcome) {
    metrics::record_app_event(kind, label(outcome));
}

/// Records one attempt to send an event in a call that it shares.
pub(super) fn record_batched_event(kind: EventKind, request_id: &str, span: &Span, outcome: &Outcome) {
    record_event(kind, outcome);
    let outcome = label(outcome);
    trace::record_outcome(span, outcome);
    tracing::debug!(request_id, kind = kind.ce_type(), outcome = outcome.as_str(), "app.called");
}

fn label(outcome: &Outcome) -> CallOutcome {
    outcome.as_ref().map_or_else(|error| failure(error), |_| CallOutcome::Ok)
}

/// The outcome of an attempt that failed.
fn failure(error: &AttemptError) -> CallOutcome {
    match error {
        AttemptError::Refused(refusal) | AttemptError::PartUnavailable(refusal) => {
            CallOutcome::Refused(refusal.code)
        }
        // The request was not sent.
        AttemptError::Overloaded | AttemptError::CircuitOpen => CallOutcome::GivenUp,
        AttemptError::Timeout(_) => CallOutcome::Timeout,
        AttemptError::Connection(_) => CallOutcome::Connection,
        AttemptError::Status(_) => CallOutcome::Status,
        AttemptError::NoOutcome
        | AttemptError::Signature(_)
        | AttemptError::Unreadable(..)
        | AttemptError::Call(_) => CallOutcome::Misfit,
    }
}

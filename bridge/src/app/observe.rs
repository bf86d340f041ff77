//! Records each attempt to call the app: in a metric, a span, and a line of the log.

use rollcall_protocol::event::EventKind;
use tracing::{Instrument, Span};

use super::error::AttemptError;
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

/// The outcome of an attempt that failed.
pub(super) fn failure(error: &AttemptError) -> CallOutcome {
    match error {
        AttemptError::Refused(refusal) | AttemptError::PartUnavailable(refusal) => {
            CallOutcome::Refused(refusal.code)
        }
        // The request was not sent.
        AttemptError::Overloaded | AttemptError::CircuitOpen => CallOutcome::GivenUp,
        AttemptError::Timeout(_) => CallOutcome::Timeout,
        AttemptError::Connection(_) => CallOutcome::Connection,
        AttemptError::Status(_) => CallOutcome::Status,
        AttemptError::Signature(_) | AttemptError::Unreadable(..) | AttemptError::Call(_) => {
            CallOutcome::Misfit
        }
    }
}

//! What operators learn of each call to the app: a metric, a span, and a line of the log.

use rollcall_protocol::{client::Ack, event::EventKind};
use tracing::{Instrument, Span};

use super::Failure;
use crate::telemetry::{
    metrics::{self, CallOutcome},
    trace,
};

/// Makes a call: one try of one event. The id of the event is that of the request, and the app's log names it too.
pub(super) async fn call<T>(
    kind: EventKind,
    request_id: &str,
    work: impl Future<Output = Result<Ack<T>, Failure>>,
) -> Result<Ack<T>, Failure> {
    let metric = metrics::app_call(kind);
    async {
        let answer = work.await;
        let outcome = outcome(&answer);
        trace::outcome(&Span::current(), outcome);
        tracing::debug!(request_id, kind = kind.ce_type(), outcome = outcome.as_str(), "app.called");
        metric.ended(outcome);
        answer
    }
    .instrument(trace::app_call(kind, request_id))
    .await
}

/// What became of a call.
pub(super) fn outcome<T>(answer: &Result<Ack<T>, Failure>) -> CallOutcome {
    match answer {
        Ok(Ack(Ok(_))) => CallOutcome::Ok,
        Ok(Ack(Err(refusal))) => CallOutcome::Refused(refusal.code),
        Err(Failure::Refused(refusal)) => CallOutcome::Refused(refusal.code),
        // Never made.
        Err(Failure::Overloaded | Failure::Away) => CallOutcome::GivenUp,
        Err(Failure::Timeout(_)) => CallOutcome::Timeout,
        Err(Failure::Connection(_)) => CallOutcome::Connection,
        Err(Failure::Status(_)) => CallOutcome::Status,
        Err(Failure::Signature(_) | Failure::Answer(..) | Failure::Call(_)) => CallOutcome::Misfit,
    }
}

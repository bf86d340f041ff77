//! Tells of lost connections: of one as of any other event, of many in one call.

use std::collections::HashMap;

use rollcall_protocol::{
    EventId,
    batch::{Batch, Delivery, Outcome, Outcomes},
    client::{Ack, Done},
    event::EventKind,
};
use tracing::Span;
use uuid::Uuid;

use super::{App, Failure, Lane, Unanswered, observe, unanswered};
use crate::{
    clock,
    losses::Loss,
    telemetry::{metrics::CallOutcome, trace},
};

const KIND: EventKind = EventKind::Disconnect;

impl App {
    /// Tells of losses, once. Those that have no outcome found no place in the call.
    pub(crate) async fn tell_of(&self, losses: &[Loss]) -> Result<Ack<Outcomes>, Unanswered> {
        match losses {
            [loss] => loss.origin.resume(self.tell_of_one(loss)).await,
            losses => self.tell_of_many(losses).await,
        }
    }

    async fn tell_of_one(&self, loss: &Loss) -> Result<Ack<Outcomes>, Unanswered> {
        let Loss { id, event, .. } = loss;
        let sign =
            || rollcall_protocol::call::sign(event, id.as_str(), &self.node, clock::now_s(), &self.secret);
        let answer = self.ask::<Done>(Lane::Own, KIND, id.as_str(), self.time_limit, sign).await;
        let ack = answer.map_err(|failure| unanswered(KIND, id.as_str(), &failure))?;
        Ok(Ack(Ok(Outcomes { outcomes: vec![Outcome { id: id.clone(), ack }] })))
    }

    async fn tell_of_many(&self, losses: &[Loss]) -> Result<Ack<Outcomes>, Unanswered> {
        // Each client's trace has a span of the call that they share.
        let spans: Vec<Span> =
            losses.iter().map(|loss| loss.origin.app_call(KIND, loss.id.as_str())).collect();
        let call_id = Uuid::now_v7().to_string();
        let answer = self
            .ask::<Outcomes>(Lane::Own, KIND, &call_id, self.time_limit, || {
                let mut batch = Batch::new(KIND, &self.node);
                for (loss, span) in losses.iter().zip(&spans) {
                    let Loss { id, event, origin, .. } = loss;
                    let traceparent = origin.traceparent(span);
                    if !batch.add(&Delivery { id: id.clone(), traceparent, event: event.clone() })? {
                        break;
                    }
                }
                batch.sign(&call_id, clock::now_s(), &self.secret)
            })
            .await;
        let outcomes = outcomes(losses, &answer);
        spans.iter().zip(outcomes).for_each(|(span, outcome)| trace::outcome(span, outcome));
        answer.map_err(|failure| unanswered(KIND, &call_id, &failure))
    }
}

/// What became of each of those that share a call.
fn outcomes<'a>(
    losses: &'a [Loss],
    answer: &'a Result<Ack<Outcomes>, Failure>,
) -> impl Iterator<Item = CallOutcome> + 'a {
    let told: HashMap<&EventId, &Ack<Done>> = match answer {
        Ok(Ack(Ok(told))) => told.outcomes.iter().map(|outcome| (&outcome.id, &outcome.ack)).collect(),
        _ => HashMap::new(),
    };
    losses.iter().map(move |loss| match (told.get(&loss.id), answer) {
        (Some(Ack(Ok(_))), _) => CallOutcome::Ok,
        (Some(Ack(Err(refusal))), _) => CallOutcome::Refused(refusal.code),
        // There was no place for it in the call.
        (None, Ok(Ack(Ok(_)))) => CallOutcome::GivenUp,
        (None, answer) => observe::outcome(answer),
    })
}

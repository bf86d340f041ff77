//! Asks each component whether it could handle its events.

use rollcall_protocol::{Refusal, check, client::Done, event::EventKind};
use tokio::time::timeout;

use super::{App, attempt::read_response, error::AttemptError, new_event_id};
use crate::clock;

/// A component that could not handle an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnusableComponent {
    pub(crate) component: EventKind,
    /// None while the app itself is silent, which heartbeats report.
    pub(crate) reason: Option<String>,
}

impl App {
    /// Checks all components, except those of features that the deployment does without. No client waits, so the calls need no permit, and they leave the circuit breaker alone.
    pub(crate) async fn check(&self) -> Vec<UnusableComponent> {
        let mut unusable = Vec::new();
        for &component in EventKind::ALL {
            if let Err(error) = self.check_component(component).await
                && !error.is_feature_off()
            {
                unusable.push(UnusableComponent { component, reason: reason(error) });
            }
        }
        unusable
    }

    async fn check_component(&self, component: EventKind) -> Result<Done, AttemptError> {
        let request = check::sign(component, &new_event_id(), &self.node, clock::now_s(), &self.secret)?;
        let response = timeout(self.timeout, self.transport.send(request))
            .await
            .map_err(|_| AttemptError::Timeout(self.timeout))??;
        read_response(component, &response)
    }
}

fn reason(error: AttemptError) -> Option<String> {
    match error {
        error if error.is_silence() => None,
        AttemptError::PartUnavailable(Refusal { message, .. }) => Some(message),
        error => Some(error.to_string()),
    }
}

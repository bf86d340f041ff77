//! One attempt to call the app: one signed request, if the circuit breaker allows it, and its response.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use rollcall_protocol::{ErrorCode, Refusal, call::CallError, client::Ack, event::EventKind};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::{App, error::AttemptError, observe};
use crate::telemetry::trace;

/// What one attempt needs to know besides the request itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) kind: EventKind,
    pub(super) request_id: &'a str,
    pub(super) timeout: Duration,
}

impl App {
    /// Makes one call, unless the circuit breaker is open.
    pub(super) async fn attempt<T: DeserializeOwned>(
        &self,
        attempt: Attempt<'_>,
        sign: impl FnOnce() -> Result<Request<Bytes>, CallError>,
    ) -> Result<T, AttemptError> {
        let guard = if attempt.kind == EventKind::Heartbeat {
            self.circuit_breaker.admit_always()
        } else {
            self.circuit_breaker.try_admit().ok_or(AttemptError::CircuitOpen)?
        };
        let response = observe::call(attempt.kind, attempt.request_id, async {
            // Each attempt has a new signature, because the app refuses old ones.
            let mut request = sign()?;
            trace::inject(request.headers_mut());
            let response = timeout(attempt.timeout, self.transport.send(request))
                .await
                .map_err(|_| AttemptError::Timeout(attempt.timeout))??;
            read_response(attempt.kind, &response)
        })
        .await;
        match &response {
            Err(error) if error.is_silence() => guard.record_failure(),
            // These errors do not tell whether the app is there: nothing was sent, or something else answered.
            Err(AttemptError::Call(_) | AttemptError::Unreadable(..)) => drop(guard),
            Ok(_) | Err(_) => guard.record_success(),
        }
        response
    }
}

/// Reads the ack of a response.
pub(super) fn read_response<T: DeserializeOwned>(
    kind: EventKind,
    response: &Response<Bytes>,
) -> Result<T, AttemptError> {
    let status = response.status();
    let is_failure = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
    let ack: Ack<T> = match serde_json::from_slice(response.body()) {
        Ok(ack) => ack,
        // A component that failed once answers so, or a gateway in front of the app.
        Err(_) if is_failure => return Err(AttemptError::Status(status)),
        Err(_) if status == StatusCode::NOT_FOUND && kind.feature().is_some() => {
            return Err(AttemptError::Refused(ErrorCode::FeatureOff.into()));
        }
        Err(error) => return Err(AttemptError::Unreadable(status, error)),
    };
    ack.into_result().map_err(|refusal| refused(status, refusal))
}

/// What a refusal with this status means.
pub(super) fn refused(status: StatusCode, refusal: Refusal) -> AttemptError {
    match refusal {
        refusal if status.is_server_error() => AttemptError::PartUnavailable(refusal),
        // The client has done nothing wrong and can do nothing about it.
        Refusal { code: ErrorCode::SignatureInvalid, message, .. } => AttemptError::Signature(message),
        refusal => AttemptError::Refused(refusal),
    }
}

#[cfg(test)]
mod tests {
    use rollcall_protocol::client::Done;

    use super::*;

    fn read(status: u16, body: &'static str) -> AttemptError {
        read_as(EventKind::Leave, status, body)
    }

    fn read_as(kind: EventKind, status: u16, body: &'static str) -> AttemptError {
        let response = Response::builder().status(status).body(Bytes::from_static(body.as_bytes())).unwrap();
        read_response::<Done>(kind, &response).unwrap_err()
    }

    #[test]
    fn a_refusal_of_the_app_is_final() {
        let error = read(403, r#"{"success":false,"code":"NOT_A_MEMBER","message":"no"}"#);
        assert!(!error.is_temporary() && !error.is_silence());
        assert!(matches!(error, AttemptError::Refused(refusal) if refusal.code == ErrorCode::NotAMember));
        let error = read(429, r#"{"success":false,"code":"RATE_LIMITED","message":"slow down"}"#);
        assert!(matches!(error, AttemptError::Refused(refusal) if refusal.code == ErrorCode::RateLimited));
    }

    #[test]
    fn temporary_errors_are_told_from_final_ones() {
        for status in [429, 500, 502, 503, 504] {
            assert!(read(status, "").is_temporary());
        }
        assert!(!read(404, "<html>").is_temporary());
    }

    #[test]
    fn a_feature_without_its_component_is_off() {
        assert!(read_as(EventKind::Timer, 404, "").is_feature_off());
        assert!(!read_as(EventKind::Timer, 502, "").is_feature_off());
        assert!(!read(404, "").is_feature_off());
    }

    #[test]
    fn an_app_of_which_a_part_is_unavailable_is_there() {
        let error = read(503, r#"{"success":false,"code":"UNAVAILABLE","message":"no"}"#);
        assert!(error.is_temporary() && !error.is_silence());
        assert!(read(503, "no healthy upstream").is_silence());
    }

    #[test]
    fn a_client_is_not_blamed_for_the_bridges_signature() {
        let error = read(401, r#"{"success":false,"code":"SIGNATURE_INVALID","message":"stale"}"#);
        assert!(matches!(error, AttemptError::Signature(_)));
    }
}

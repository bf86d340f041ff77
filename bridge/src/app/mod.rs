//! Calls the app: over HTTP, or in this process. An event may be delivered again when the first time has an
//! unknown outcome, because the app goes by the event's id.

mod http;
mod in_process;
mod observe;
mod retry;
mod sweeper;

use std::time::Duration;

use ::http::{Request, Response, StatusCode};
use bytes::Bytes;
use rollcall_protocol::{
    ErrorCode, NodeId, Refusal,
    call::{self, Secret},
    client::Ack,
    event::BridgeEvent,
};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use self::{http::HttpApp, in_process::InProcessApp};
use crate::{clock, config::AppLocation, telemetry::trace};

/// The app, and what calls to it are signed with.
pub(crate) struct App {
    transport: Transport,
    node: NodeId,
    secret: Secret,
    time_limit: Duration,
}

enum Transport {
    Http(Box<HttpApp>),
    InProcess(InProcessApp),
}

/// The app could not be asked, or could not do what it was asked for; trying later may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the app does not answer")]
pub(crate) struct Unavailable;

impl From<Unavailable> for Refusal {
    fn from(_: Unavailable) -> Self {
        ErrorCode::Unavailable.into()
    }
}

/// Why one delivery of an event came to nothing.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    #[error("{0}")]
    Connection(#[from] anyhow::Error),
    #[error("the app answered {0}")]
    Status(StatusCode),
    #[error("the app does not accept this bridge's signature: {0}")]
    Signature(String),
    #[error("the app's answer ({0}) cannot be read: {1}")]
    Answer(StatusCode, serde_json::Error),
    #[error(transparent)]
    Call(#[from] call::CallError),
}

impl Failure {
    fn may_pass(&self) -> bool {
        matches!(self, Self::Timeout(_) | Self::Connection(_) | Self::Status(_))
    }
}

impl App {
    /// Gets ready to call the app.
    pub(crate) async fn new(
        location: AppLocation,
        node: NodeId,
        secret: Secret,
        time_limit: Duration,
    ) -> anyhow::Result<Self> {
        let transport = match location {
            AppLocation::Http(base) => Transport::Http(Box::new(HttpApp::new(base)?)),
            AppLocation::InProcess(app) => Transport::InProcess(InProcessApp::start(app).await?),
        };
        Ok(Self { transport, node, secret, time_limit })
    }

    /// Delivers an event for which a client waits: answers within the time limit, retries included.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        event: &BridgeEvent,
        event_id: &str,
    ) -> Result<Ack<T>, Unavailable> {
        // One lost answer must not use up the time that a second try needs.
        let attempt_limit = self.time_limit / 2;
        let tries = retry::briefly(|| self.deliver_once(event, event_id, attempt_limit), Failure::may_pass);
        let outcome = timeout(self.time_limit, tries).await.unwrap_or(Err(Failure::Timeout(self.time_limit)));
        outcome.map_err(|failure| report(event, event_id, &failure))
    }

    /// Delivers an event for which nobody waits: goes on for about two minutes while the app is away.
    pub(crate) async fn deliver<T: DeserializeOwned>(
        &self,
        event: &BridgeEvent,
        event_id: &str,
    ) -> Result<Ack<T>, Unavailable> {
        retry::patiently(|| self.deliver_once(event, event_id, self.time_limit), Failure::may_pass)
            .await
            .map_err(|failure| report(event, event_id, &failure))
    }

    async fn deliver_once<T: DeserializeOwned>(
        &self,
        event: &BridgeEvent,
        event_id: &str,
        limit: Duration,
    ) -> Result<Ack<T>, Failure> {
        observe::call(event.kind(), event_id, async {
            // Signed anew each time, as an old signature is refused.
            let mut request = call::sign(event, event_id, &self.node, clock::now_s(), &self.secret)?;
            trace::inject(request.headers_mut());
            let response =
                timeout(limit, self.send(request)).await.map_err(|_| Failure::Timeout(limit))??;
            read_answer(&response)
        })
        .await
    }

    async fn send(&self, request: Request<Bytes>) -> anyhow::Result<Response<Bytes>> {
        match &self.transport {
            Transport::Http(app) => app.send(request).await,
            Transport::InProcess(app) => Ok(app.send(request).await),
        }
    }

    /// Lets go of the app.
    pub(crate) async fn close(&self) {
        match &self.transport {
            Transport::Http(_) => {}
            Transport::InProcess(app) => app.close().await,
        }
    }
}

fn read_answer<T: DeserializeOwned>(response: &Response<Bytes>) -> Result<Ack<T>, Failure> {
    let status = response.status();
    // A component that failed once, or a gateway before it: no refusal has such a status but UNAVAILABLE.
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(Failure::Status(status));
    }
    let ack = serde_json::from_slice(response.body()).map_err(|error| Failure::Answer(status, error))?;
    match ack {
        // The client has done nothing wrong, and nothing that it could do would help.
        Ack(Err(Refusal { code: ErrorCode::SignatureInvalid, message })) => Err(Failure::Signature(message)),
        ack => Ok(ack),
    }
}

fn report(event: &BridgeEvent, event_id: &str, failure: &Failure) -> Unavailable {
    tracing::warn!(request_id = event_id, kind = event.kind().ce_type(), error = %failure, "app.unavailable");
    Unavailable
}

#[cfg(test)]
mod tests {
    use rollcall_protocol::client::Done;

    use super::*;

    fn answer(status: u16, body: &'static str) -> Result<Ack<Done>, Failure> {
        let response = Response::builder().status(status).body(Bytes::from_static(body.as_bytes())).unwrap();
        read_answer(&response)
    }

    #[test]
    fn a_refusal_is_an_answer() {
        let ack = answer(403, r#"{"success":false,"code":"NOT_A_MEMBER","message":"no"}"#).unwrap();
        assert_eq!(ack.0.unwrap_err().code, ErrorCode::NotAMember);
    }

    #[test]
    fn what_may_pass_is_told_from_what_will_not() {
        for status in [429, 500, 502, 503, 504] {
            assert!(answer(status, "").unwrap_err().may_pass());
        }
        assert!(!answer(404, "<html>").unwrap_err().may_pass());
    }

    #[test]
    fn a_client_is_not_blamed_for_the_bridges_signature() {
        let refusal = r#"{"success":false,"code":"SIGNATURE_INVALID","message":"stale"}"#;
        assert!(matches!(answer(401, refusal), Err(Failure::Signature(_))));
    }
}

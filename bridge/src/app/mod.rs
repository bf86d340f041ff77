//! Calls the app: over HTTP, or in this process. An event may be delivered again when the first time has an
//! unknown outcome, because the app goes by the event's id.
//!
//! | module | what it does |
//! |---|---|
//! | [`http`], [`in_process`] | where the app is |
//! | [`lanes`] | how many calls there are at once |
//! | [`circuit`] | whether there are any, after too many have failed |
//! | [`retry`] | when a call is tried again |
//! | [`lost`] | tells of many lost connections in one call |
//! | [`observe`] | what operators learn of each call |
//! | [`sweeper`] | sweeps when something is due, with the app in this process |

#[path = "circuit_breaker.rs"]
mod circuit;
mod http;
#[cfg(feature = "in-process")]
mod in_process;
#[path = "concurrency.rs"]
mod lanes;
#[path = "batch.rs"]
mod lost;
mod observe;
mod retry;
#[cfg(feature = "in-process")]
mod sweeper;

use std::time::Duration;

use ::http::{Request, Response, StatusCode};
use bytes::Bytes;
use rollcall_protocol::{
    ErrorCode, NodeId, Refusal,
    call::{self, CallError, Secret},
    client::Ack,
    event::{BridgeEvent, EventKind},
};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

#[cfg(feature = "in-process")]
use self::in_process::InProcessApp;
pub(crate) use self::lanes::OWN_LANES;
use self::{
    circuit::Circuit,
    http::HttpApp,
    lanes::{Lane, Lanes, Overloaded},
};
use crate::{
    clock,
    config::{AppLocation, CallLimits},
    telemetry::trace,
};

/// The app, and what calls to it are signed with.
pub(crate) struct App {
    transport: Transport,
    node: NodeId,
    secret: Secret,
    time_limit: Duration,
    lanes: Lanes,
    circuit: Circuit,
}

enum Transport {
    Http(Box<HttpApp>),
    #[cfg(feature = "in-process")]
    InProcess(InProcessApp),
}

/// Why there is no answer of the app's; trying later may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unanswered {
    /// Too many others wait. The app was never asked.
    #[error("too many calls wait for the app")]
    Overloaded,
    /// It is known to be away. It was never asked.
    #[error("the app is away")]
    Away,
    /// It was asked, and may have done it.
    #[error("the app does not answer")]
    Unknown,
}

impl From<Unanswered> for Refusal {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Overloaded => ErrorCode::Overloaded.into(),
            Unanswered::Away | Unanswered::Unknown => ErrorCode::Unavailable.into(),
        }
    }
}

/// Why one delivery of an event came to nothing.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no place among the calls that are under way")]
    Overloaded,
    #[error("the app has failed too often of late")]
    Away,
    #[error("a part of the app does not answer: {0}")]
    Refused(Refusal),
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
    Call(#[from] CallError),
}

impl Failure {
    fn may_pass(&self) -> bool {
        !matches!(self, Self::Signature(_) | Self::Answer(..) | Self::Call(_))
    }

    /// Whether the app was asked.
    fn was_made(&self) -> bool {
        !matches!(self, Self::Overloaded | Self::Away | Self::Call(_))
    }

    /// Whether nothing was heard of the app itself.
    fn is_silence(&self) -> bool {
        matches!(self, Self::Timeout(_) | Self::Connection(_) | Self::Status(_))
    }
}

impl From<Overloaded> for Failure {
    fn from(Overloaded: Overloaded) -> Self {
        Self::Overloaded
    }
}

impl App {
    /// Gets ready to call the app.
    pub(crate) async fn new(
        location: AppLocation,
        node: NodeId,
        secret: Secret,
        CallLimits { time_limit, max_calls, max_joins }: CallLimits,
    ) -> anyhow::Result<Self> {
        let transport = match location {
            AppLocation::Http(base) => Transport::Http(Box::new(HttpApp::new(base)?)),
            #[cfg(feature = "in-process")]
            AppLocation::InProcess(app) => Transport::InProcess(InProcessApp::start(app).await?),
        };
        // Whoever waits half of the time for a place has the other half for a try.
        let lanes = Lanes::new(max_calls, max_joins, time_limit / 2);
        Ok(Self { transport, node, secret, time_limit, lanes, circuit: Circuit::default() })
    }

    /// Delivers an event for which a client waits: answers within the time limit, waiting and retries included.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        event: &BridgeEvent,
        event_id: &str,
    ) -> Result<Ack<T>, Unanswered> {
        self.call_counting_tries(event, event_id).await.0
    }

    /// The same, and how often it was tried: of several tries any may still arrive, whatever is answered.
    pub(crate) async fn call_counting_tries<T: DeserializeOwned>(
        &self,
        event: &BridgeEvent,
        event_id: &str,
    ) -> (Result<Ack<T>, Unanswered>, u32) {
        let mut tries = 0;
        let once = || {
            tries += 1;
            // One lost answer must not use up the time that a second try needs.
            self.deliver_once(event, event_id, self.time_limit / 2)
        };
        let answer = retry::briefly(once, |failure| failure.was_made() && failure.may_pass());
        let answer = timeout(self.time_limit, answer).await.unwrap_or(Err(Failure::Timeout(self.time_limit)));
        let answer = answer.map_err(|failure| {
            // A first try may have arrived, even if there was no place for a second.
            if tries > 1 {
                unknown(event.kind(), event_id, &failure)
            } else {
                unanswered(event.kind(), event_id, &failure)
            }
        });
        (answer, tries)
    }

    /// Delivers an event for which nobody waits: goes on for about two minutes while the app is away.
    pub(crate) async fn deliver<T: DeserializeOwned>(
        &self,
        event: &BridgeEvent,
        event_id: &str,
    ) -> Result<Ack<T>, Unanswered> {
        retry::patiently(|| self.deliver_once(event, event_id, self.time_limit), Failure::may_pass)
            .await
            .map_err(|failure| unknown(event.kind(), event_id, &failure))
    }

    async fn deliver_once<T: DeserializeOwned>(
        &self,
        event: &BridgeEvent,
        event_id: &str,
        limit: Duration,
    ) -> Result<Ack<T>, Failure> {
        let kind = event.kind();
        let sign = || call::sign(event, event_id, &self.node, clock::now_s(), &self.secret);
        self.ask(Lane::of(kind), kind, event_id, limit, sign).await
    }

    /// Makes one call, if there is a place for it and the app is not known to be away.
    async fn ask<T: DeserializeOwned>(
        &self,
        lane: Lane,
        kind: EventKind,
        request_id: &str,
        limit: Duration,
        sign: impl FnOnce() -> Result<Request<Bytes>, CallError>,
    ) -> Result<Ack<T>, Failure> {
        // There is one heartbeat at a time: it costs little, and whether it is answered must be known.
        let is_heartbeat = kind == EventKind::Heartbeat;
        if !is_heartbeat && !self.circuit.admits() {
            return Err(Failure::Away);
        }
        let _place = self.lanes.enter(lane).await?;
        let pass = if is_heartbeat { Some(self.circuit.enter_anyway()) } else { self.circuit.enter() };
        let pass = pass.ok_or(Failure::Away)?;
        let answer = observe::call(kind, request_id, async {
            // Signed anew each time, as an old signature is refused.
            let mut request = sign()?;
            trace::inject(request.headers_mut());
            let response =
                timeout(limit, self.send(request)).await.map_err(|_| Failure::Timeout(limit))??;
            read_answer(&response)
        })
        .await;
        match &answer {
            Err(failure) if failure.is_silence() => pass.failed(),
            // Neither says whether the app is there: no call was made, or something else answered it.
            Err(Failure::Call(_) | Failure::Answer(..)) => drop(pass),
            Ok(_) | Err(_) => pass.succeeded(),
        }
        answer
    }

    async fn send(&self, request: Request<Bytes>) -> anyhow::Result<Response<Bytes>> {
        match &self.transport {
            Transport::Http(app) => app.send(request).await,
            #[cfg(feature = "in-process")]
            Transport::InProcess(app) => Ok(app.send(request).await),
        }
    }

    /// Lets go of the app.
    pub(crate) async fn close(&self) {
        match &self.transport {
            Transport::Http(_) => {}
            #[cfg(feature = "in-process")]
            Transport::InProcess(app) => app.close().await,
        }
    }
}

fn read_answer<T: DeserializeOwned>(response: &Response<Bytes>) -> Result<Ack<T>, Failure> {
    let status = response.status();
    let is_failure = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
    let ack = match serde_json::from_slice(response.body()) {
        Ok(ack) => ack,
        // Of a component that failed once, or of a gateway before it.
        Err(_) if is_failure => return Err(Failure::Status(status)),
        Err(error) => return Err(Failure::Answer(status, error)),
    };
    match ack {
        Ack(Err(refusal)) if is_failure => Err(Failure::Refused(refusal)),
        // The client has done nothing wrong, and nothing that it could do would help.
        Ack(Err(Refusal { code: ErrorCode::SignatureInvalid, message })) => Err(Failure::Signature(message)),
        ack => Ok(ack),
    }
}

/// Logs why a call that was made at least once came to nothing.
fn unknown(kind: EventKind, request_id: &str, failure: &Failure) -> Unanswered {
    tracing::warn!(request_id, kind = kind.ce_type(), error = %failure, "app.unavailable");
    Unanswered::Unknown
}

/// The same of a call that was perhaps never made: of those there are many at once, and metrics tell of them.
fn unanswered(kind: EventKind, request_id: &str, failure: &Failure) -> Unanswered {
    let reason = match failure {
        Failure::Overloaded => Unanswered::Overloaded,
        Failure::Away => Unanswered::Away,
        _ => return unknown(kind, request_id, failure),
    };
    tracing::debug!(request_id, kind = kind.ce_type(), error = %failure, "app.not_asked");
    reason
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
    fn an_app_that_says_that_a_part_of_it_is_away_is_there() {
        let ailing = answer(503, r#"{"success":false,"code":"UNAVAILABLE","message":"no"}"#).unwrap_err();
        assert!(ailing.may_pass() && !ailing.is_silence());
        assert!(answer(503, "no healthy upstream").unwrap_err().is_silence());
    }

    #[test]
    fn a_client_is_not_blamed_for_the_bridges_signature() {
        let refusal = r#"{"success":false,"code":"SIGNATURE_INVALID","message":"stale"}"#;
        assert!(matches!(answer(401, refusal), Err(Failure::Signature(_))));
    }
}

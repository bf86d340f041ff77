//! Follows a client's event to the app, as W3C Trace Context says.
//!
//! A client may name the trace that it belongs to, in the headers of its handshake. The trace goes on to the app
//! even if the bridge sends its own spans nowhere. Without a collector and without such headers, nothing is done.

use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderMap;
use opentelemetry::{
    Context,
    propagation::TextMapPropagator,
    trace::{FutureExt, TraceContextExt},
};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use rollcall_protocol::{ErrorCode, event::EventKind};
use tracing::{Instrument, Span, field::Empty, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::metrics::CallOutcome;

/// What spans are told from log lines by.
pub(super) const TARGET: &str = "rollcall::trace";

/// As much of `tracestate` as the specification asks everybody to hand on.
const MAX_STATE_BYTES: usize = 512;

static IS_EXPORTING: AtomicBool = AtomicBool::new(false);

/// Says whether spans are sent anywhere.
pub(super) fn start(is_exporting: bool) {
    IS_EXPORTING.store(is_exporting, Ordering::Relaxed);
}

/// The trace that a socket belongs to, if its client named one.
#[derive(Clone, Default)]
pub(crate) struct ClientTrace(Option<Context>);

/// What a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Asks to be let in.
    Connect,
    /// Sends an event of this name.
    Event(&'static str),
    /// Is gone.
    Disconnect,
}

impl ClientTrace {
    /// From the headers of a handshake; what cannot be read is left aside.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut own = HeaderMap::new();
        let Some(parent) = headers.get("traceparent") else { return Self::default() };
        own.insert("traceparent", parent.clone());
        if let Some(state) = headers.get("tracestate").filter(|state| state.len() <= MAX_STATE_BYTES) {
            own.insert("tracestate", state.clone());
        }
        let context =
            TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(&own));
        Self(context.span().span_context().is_valid().then_some(context))
    }

    /// Does the work of what a client does, in a span of its own.
    pub(crate) async fn follow<T>(&self, doing: Doing, work: impl Future<Output = T>) -> T {
        if self.0.is_none() && !IS_EXPORTING.load(Ordering::Relaxed) {
            return work.await;
        }
        let parent = self.0.clone().unwrap_or_default();
        let name = doing.name();
        let span = info_span!(target: TARGET, parent: None, "client", otel.name = name, otel.kind = "server", trace_id = Empty);
        // Fails where spans are sent nowhere, and then the parent itself is handed on.
        let _ = span.set_parent(parent.clone());
        record_trace_id(&span, &parent);
        work.instrument(span).with_context(parent).await
    }
}

impl Doing {
    fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Event(name) => name,
            Self::Disconnect => "disconnect",
        }
    }
}

/// Makes log lines within the span say which trace they belong to, if it can be looked up anywhere.
fn record_trace_id(span: &Span, parent: &Context) {
    let own = span.context();
    let own = own.span().span_context().clone();
    let parent = parent.span().span_context().clone();
    let shown = if own.is_valid() && own.is_sampled() { own } else { parent };
    if shown.is_valid() {
        span.record("trace_id", tracing::field::display(shown.trace_id()));
    }
}

/// The span of a call to the app; none outside of a client's.
pub(crate) fn app_call(kind: EventKind, request_id: &str) -> Span {
    if Span::current().is_none() {
        return Span::none();
    }
    info_span!(target: TARGET, "app", otel.name = kind.ce_type(), otel.kind = "client", request_id, outcome = Empty, otel.status_code = Empty)
}

/// Says in the span of a call what became of it.
pub(crate) fn outcome(span: &Span, outcome: CallOutcome) {
    span.record("outcome", outcome.as_str());
    let is_answer = matches!(outcome, CallOutcome::Ok | CallOutcome::Refused(_));
    if !is_answer || outcome == CallOutcome::Refused(ErrorCode::Unavailable) {
        span.record("otel.status_code", "ERROR");
    }
}

/// Adds the headers by which the app finds the trace, if there is one.
pub(crate) fn inject(headers: &mut HeaderMap) {
    let context = Context::current();
    if context.span().span_context().is_valid() {
        TraceContextPropagator::new().inject_context(&context, &mut HeaderInjector(headers));
        if headers.get("tracestate").is_some_and(|state| state.is_empty()) {
            headers.remove("tracestate");
        }
    }
}

/// What something happened in, for work on it that is done later and elsewhere.
#[derive(Clone)]
pub(crate) struct Origin {
    span: Span,
    context: Context,
}

impl Origin {
    /// What happens just now.
    pub(crate) fn here() -> Self {
        Self { span: Span::current(), context: Context::current() }
    }

    /// Does work as part of it.
    pub(crate) async fn resume<T>(&self, work: impl Future<Output = T>) -> T {
        work.instrument(self.span.clone()).with_context(self.context.clone()).await
    }

    /// The span of a call to the app that is a part of it.
    pub(crate) fn app_call(&self, kind: EventKind, request_id: &str) -> Span {
        self.span.in_scope(|| app_call(kind, request_id))
    }

    /// The `traceparent` by which the app finds the trace, for a call with this span.
    pub(crate) fn traceparent(&self, call: &Span) -> Option<String> {
        let own = call.context();
        let context = if own.span().span_context().is_valid() { &own } else { &self.context };
        let mut headers = HeaderMap::new();
        if context.span().span_context().is_valid() {
            TraceContextPropagator::new().inject_context(context, &mut HeaderInjector(&mut headers));
        }
        headers.get("traceparent")?.to_str().ok().map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(parent: &str, state: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", parent.parse().unwrap());
        headers
            .extend(state.map(|state| (http::HeaderName::from_static("tracestate"), state.parse().unwrap())));
        headers
    }

    async fn handed_on(headers: &HeaderMap) -> HeaderMap {
        let mut sent = HeaderMap::new();
        ClientTrace::of(headers).follow(Doing::Connect, async { inject(&mut sent) }).await;
        sent
    }

    #[tokio::test]
    async fn a_trace_goes_through_a_bridge_that_sends_no_spans() {
        let headers = headers(PARENT, Some("vendor=value"));
        assert_eq!(handed_on(&headers).await, headers);
    }

    #[tokio::test]
    async fn work_in_the_background_belongs_to_the_trace() {
        let trace = ClientTrace::of(&headers(PARENT, None));
        let background = async {
            let mut sent = HeaderMap::new();
            inject(&mut sent);
            sent
        };
        let (report, told) = tokio::sync::oneshot::channel();
        let begin = async {
            let origin = Origin::here();
            tokio::spawn(
                async move { origin.resume(async { report.send(background.await).unwrap() }).await },
            );
        };
        trace.follow(Doing::Disconnect, begin).await;
        assert_eq!(told.await.unwrap(), headers(PARENT, None));
    }

    #[tokio::test]
    async fn what_is_no_trace_is_left_aside() {
        for parent in [
            "",
            "x",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-extra",
        ] {
            assert!(handed_on(&headers(parent, Some("vendor=value"))).await.is_empty(), "{parent}");
        }
        let long = format!("vendor={}", "x".repeat(MAX_STATE_BYTES));
        assert_eq!(handed_on(&headers(PARENT, Some(&long))).await, headers(PARENT, None));
        assert!(handed_on(&HeaderMap::new()).await.is_empty());
    }
}

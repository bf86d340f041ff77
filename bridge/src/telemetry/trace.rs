//! Traces an event of a client to the app, as defined by W3C Trace Context.
//!
//! A client may name its trace in the headers of its handshake. The bridge passes the trace on to the app, even if the
//! bridge itself exports no spans. Without a collector and without such headers, the bridge does nothing.

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

/// Target that distinguishes spans from log lines.
pub(super) const TARGET: &str = "rollcall::trace";

/// Length of `tracestate` that the specification requires everybody to pass on.
const MAX_STATE_BYTES: usize = 512;

static IS_EXPORTING: AtomicBool = AtomicBool::new(false);

/// Sets whether spans are exported.
pub(super) fn set_exporting(is_exporting: bool) {
    IS_EXPORTING.store(is_exporting, Ordering::Relaxed);
}

/// Trace of a socket, if its client named one.
#[derive(Clone, Default)]
pub(crate) struct ClientTrace(Option<Context>);

/// Activity of a client that gets its own span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activity {
    /// The client connects.
    Connect,
    /// The client sends an event of this name.
    Event(&'static str),
    /// The connection of the client is lost.
    Disconnect,
}

impl ClientTrace {
    /// Reads the trace from the headers of a handshake. Invalid headers are ignored.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
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

    /// Runs the work for an activity of the client in its own span.
    pub(crate) async fn in_span<T>(&self, activity: Activity, work: impl Future<Output = T>) -> T {
        if self.0.is_none() && !IS_EXPORTING.load(Ordering::Relaxed) {
            return work.await;
        }
        let parent = self.0.clone().unwrap_or_default();
        let name = activity.name();
        let span = info_span!(target: TARGET, parent: None, "client", otel.name = name, otel.kind = "server", trace_id = Empty);
        // Fails if spans are not exported; the parent itself is then passed on.
        let _ = span.set_parent(parent.clone());
        record_trace_id(&span, &parent);
        work.instrument(span).with_context(parent).await
    }
}

impl Activity {
    fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Event(name) => name,
            Self::Disconnect => "disconnect",
        }
    }
}

/// Adds the trace id to log lines within the span: the id of the bridge's own trace if that trace is sampled, and
/// otherwise the id of the client's trace, if there is one.
fn record_trace_id(span: &Span, parent: &Context) {
    let own = span.context();
    let own = own.span().span_context().clone();
    let parent = parent.span().span_context().clone();
    let shown = if own.is_valid() && own.is_sampled() { own } else { parent };
    if shown.is_valid() {
        span.record("trace_id", tracing::field::display(shown.trace_id()));
    }
}

/// Opens the span of a call to the app. Outside of an activity of a client, there is no span.
pub(crate) fn app_call_span(kind: EventKind, request_id: &str) -> Span {
    if Span::current().is_none() {
        return Span::none();
    }
    info_span!(target: TARGET, "app", otel.name = kind.ce_type(), otel.kind = "client", request_id, outcome = Empty, otel.status_code = Empty)
}

/// Records the outcome of a call in the span of the call.
pub(crate) fn record_outcome(span: &Span, outcome: CallOutcome) {
    span.record("outcome", outcome.as_str());
    let is_app_response = matches!(outcome, CallOutcome::Ok | CallOutcome::Refused(_));
    if !is_app_response || outcome == CallOutcome::Refused(ErrorCode::Unavailable) {
        span.record("otel.status_code", "ERROR");
    }
}

/// Adds the headers that name the current trace to the app, if there is one.
pub(crate) fn inject(headers: &mut HeaderMap) {
    let context = Context::current();
    if context.span().span_context().is_valid() {
        TraceContextPropagator::new().inject_context(&context, &mut HeaderInjector(headers));
        if headers.get("tracestate").is_some_and(|state| state.is_empty()) {
            headers.remove("tracestate");
        }
    }
}

/// Parent span and trace of work that runs later, in another task.
#[derive(Clone)]
pub(crate) struct TraceParent {
    span: Span,
    context: Context,
}

impl TraceParent {
    /// Captures the current span and trace.
    pub(crate) fn current() -> Self {
        Self { span: Span::current(), context: Context::current() }
    }

    /// Runs work as a part of the captured span and trace.
    pub(crate) async fn enter<T>(&self, work: impl Future<Output = T>) -> T {
        work.instrument(self.span.clone()).with_context(self.context.clone()).await
    }

    /// Opens the span of a call to the app as a child of the captured span.
    pub(crate) fn app_call_span(&self, kind: EventKind, request_id: &str) -> Span {
        self.span.in_scope(|| app_call_span(kind, request_id))
    }

    /// The `traceparent` header that names the trace to the app, for a call with this span.
    pub(crate) fn header(&self, call: &Span) -> Option<String> {
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

    async fn passed_on(headers: &HeaderMap) -> HeaderMap {
        let mut sent = HeaderMap::new();
        ClientTrace::from_headers(headers).in_span(Activity::Connect, async { inject(&mut sent) }).await;
        sent
    }

    #[tokio::test]
    async fn a_bridge_that_exports_no_spans_passes_the_trace_on() {
        let headers = headers(PARENT, Some("vendor=value"));
        assert_eq!(passed_on(&headers).await, headers);
    }

    #[tokio::test]
    async fn work_in_the_background_belongs_to_the_trace() {
        let trace = ClientTrace::from_headers(&headers(PARENT, None));
        let background = async {
            let mut sent = HeaderMap::new();
            inject(&mut sent);
            sent
        };
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let begin = async {
            let parent = TraceParent::current();
            tokio::spawn(async move { parent.enter(async { sender.send(background.await).unwrap() }).await });
        };
        trace.in_span(Activity::Disconnect, begin).await;
        assert_eq!(receiver.await.unwrap(), headers(PARENT, None));
    }

    #[tokio::test]
    async fn invalid_headers_are_ignored() {
        for parent in [
            "",
            "x",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-extra",
        ] {
            assert!(passed_on(&headers(parent, Some("vendor=value"))).await.is_empty(), "{parent}");
        }
        let long = format!("vendor={}", "x".repeat(MAX_STATE_BYTES));
        assert_eq!(passed_on(&headers(PARENT, Some(&long))).await, headers(PARENT, None));
        assert!(passed_on(&HeaderMap::new()).await.is_empty());
    }
}

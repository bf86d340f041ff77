//! Refuses pages of other origins, and sets CORS headers for pages of allowed ones.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use http::{HeaderName, Method, header};
use rollcall_protocol::{ErrorCode, Refusal, origin::OriginPolicy};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::telemetry::metrics;

/// Headers that pages may send: tokens, types of bodies, and the headers that tracing in a browser adds to each request.
const ALLOWED_HEADERS: [HeaderName; 6] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("baggage"),
    HeaderName::from_static("x-request-id"),
];

/// How long a browser may remember the answer to a preflight. A page that polls would otherwise ask before each poll.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(600);

/// Restricts all routes of a router to the origins that the policy allows. The origin is checked first, so that every
/// other layer sees only requests that may go on.
pub(crate) fn restrict(router: Router, policy: OriginPolicy) -> Router {
    router
        .layer(build_cors_layer(policy.clone()))
        .layer(middleware::from_fn_with_state(Arc::new(policy), check_origin))
}

/// Refuses requests of pages that may not connect, including requests for an upgrade.
async fn check_origin(State(policy): State<Arc<OriginPolicy>>, request: Request, next: Next) -> Response {
    if policy.admits(request.headers()) {
        return next.run(request).await;
    }
    metrics::record_connection_refused(ErrorCode::OriginNotAllowed);
    tracing::debug!(origin = ?request.headers().get(header::ORIGIN), "origin.refused");
    let refusal = Refusal::from(ErrorCode::OriginNotAllowed);
    let body = serde_json::to_string(&refusal).unwrap_or_default();
    (refusal.code.status(), [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn build_cors_layer(policy: OriginPolicy) -> CorsLayer {
    // The bridge uses no cookies. Load balancers that keep a client on one bridge do so with a cookie.
    let are_cookies_allowed = policy != OriginPolicy::Any;
    let origins = AllowOrigin::predicate(move |origin, request| {
        policy.allows(origin, request.headers.get(header::HOST))
    });
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(ALLOWED_HEADERS)
        .expose_headers([header::RETRY_AFTER])
        .max_age(PREFLIGHT_MAX_AGE)
        .allow_credentials(are_cookies_allowed)
}

//! Use of the API by pages of other origins.

use hyperium::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HOST, HeaderName, VARY,
};
use rollcall_protocol::{
    ErrorCode,
    origin::{self, OriginPolicy},
};
use rollcall_rooms::Error;
use spin_sdk::http::{HeaderValue, Request, StatusCode};

use crate::{
    http::{self, Response},
    instance::PerInstance,
    variables,
};

thread_local! {
    static POLICY: PerInstance<OriginPolicy> = const { PerInstance::new() };
}

/// Headers that pages may send, with those that tracing in a browser adds to each request.
const ALLOWED_HEADERS: &str =
    "authorization, content-type, if-match, if-none-match, traceparent, tracestate, baggage, x-request-id";

/// An origin whose pages may use the API.
pub struct AllowedOrigin(HeaderValue);

impl AllowedOrigin {
    /// Reads the origin of a request from a page. Refuses origins that the variable `cors_origins` does not allow, by the
    /// same rules as a bridge.
    pub async fn of(request: &Request) -> Result<Option<Self>, Error> {
        let origin = origin::origin_of(request.headers()).map_err(|_| ErrorCode::OriginNotAllowed)?;
        let Some(origin) = origin else { return Ok(None) };
        let policy = PerInstance::get(&POLICY, read_policy).await?;
        // Where the client's header does not arrive, Spin puts the host into the URL.
        let authority = request.uri().authority().and_then(|it| HeaderValue::from_str(it.as_str()).ok());
        let host = request.headers().get(HOST).or(authority.as_ref());
        if !policy.allows(origin, host) {
            return Err(ErrorCode::OriginNotAllowed.into());
        }
        Ok(Some(Self(origin.clone())))
    }
}

async fn read_policy() -> Result<OriginPolicy, Error> {
    let list = variables::get("cors_origins").await?;
    OriginPolicy::parse(list.split_whitespace()).map_err(|error| variables::misconfigured(&error))
}

/// Responds to the request that a browser sends before the actual request.
pub fn preflight(origin: Option<&AllowedOrigin>) -> Response {
    let mut response = http::empty(StatusCode::NO_CONTENT);
    if origin.is_some() {
        let mut set = |name: HeaderName, value| {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        };
        set(ACCESS_CONTROL_ALLOW_METHODS, "GET, PUT, PATCH, POST, DELETE");
        set(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
        set(ACCESS_CONTROL_MAX_AGE, "600");
    }
    mark(response, origin)
}

/// Lets the page of an allowed origin read a response.
pub fn mark(mut response: Response, origin: Option<&AllowedOrigin>) -> Response {
    let headers = response.headers_mut();
    // Caches must not give one origin's response to another.
    headers.insert(VARY, HeaderValue::from_static("origin"));
    if let Some(AllowedOrigin(origin)) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("etag"));
    }
    response
}

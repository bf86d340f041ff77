//! Which pages of other origins may use the API from a browser.

use hyperium::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HOST, HeaderName, ORIGIN, VARY,
};
use rollcall_protocol::{ErrorCode, origin::OriginPolicy};
use rollcall_rooms::Failure;
use spin_sdk::http::{HeaderValue, Request, StatusCode};

use crate::{
    http::{self, Response},
    variables,
};

/// The origin of a page that may use the API.
pub struct AllowedOrigin(HeaderValue);

impl AllowedOrigin {
    /// The origin of a request, if it comes from a page. Pages that the variable `cors_origins` does not allow are
    /// refused, by the same rules as at a bridge.
    pub async fn of(request: &Request) -> Result<Option<Self>, Failure> {
        let Some(origin) = request.headers().get(ORIGIN) else { return Ok(None) };
        let list = variables::get("cors_origins").await?;
        let policy =
            OriginPolicy::parse(list.split_whitespace()).map_err(|error| variables::misconfigured(&error))?;
        // Spin tells the host in the URL where a client's header does not get through.
        let authority = request.uri().authority().and_then(|it| HeaderValue::from_str(it.as_str()).ok());
        let host = request.headers().get(HOST).or(authority.as_ref());
        if !policy.allows(origin, host) {
            return Err(ErrorCode::OriginNotAllowed.into());
        }
        Ok(Some(Self(origin.clone())))
    }
}

/// Answers the question that a browser asks before the request itself.
pub fn preflight(origin: Option<&AllowedOrigin>) -> Response {
    let mut response = http::empty(StatusCode::NO_CONTENT);
    if origin.is_some() {
        let mut set = |name: HeaderName, value| {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        };
        set(ACCESS_CONTROL_ALLOW_METHODS, "GET, PUT, PATCH, POST, DELETE");
        set(ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, if-match, if-none-match");
        set(ACCESS_CONTROL_MAX_AGE, "600");
    }
    mark(response, origin)
}

/// Lets the page of an allowed origin read an answer.
pub fn mark(mut response: Response, origin: Option<&AllowedOrigin>) -> Response {
    let headers = response.headers_mut();
    // Caches must not give one origin's answer to another.
    headers.insert(VARY, HeaderValue::from_static("origin"));
    if let Some(AllowedOrigin(origin)) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("etag"));
    }
    response
}

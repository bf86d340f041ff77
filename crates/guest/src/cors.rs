//! Which pages of other origins may use the API from a browser.

use hyperium::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderName, ORIGIN, VARY,
};
use rollcall_rooms::Failure;
use spin_sdk::http::{HeaderMap, HeaderValue, StatusCode};

use crate::{
    http::{self, Response},
    variables,
};

/// An origin that the variable `cors_origins` lists, and that a request comes from.
pub struct AllowedOrigin(HeaderValue);

impl AllowedOrigin {
    /// The origin of a request, if its pages may read the answer. Without any in the list, none may; there is no
    /// wildcard, because answers are for whoever holds a token.
    pub async fn of(headers: &HeaderMap) -> Result<Option<Self>, Failure> {
        let Some(origin) = headers.get(ORIGIN) else { return Ok(None) };
        let list = variables::get("cors_origins").await?;
        let is_listed = list.split_whitespace().any(|listed| listed.as_bytes() == origin.as_bytes());
        Ok(is_listed.then(|| Self(origin.clone())))
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

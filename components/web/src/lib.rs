//! Serves the study-room page and the operator's page, whose files the component contains.
//!
//! | module | what it holds |
//! |---|---|
//! | [`assets`] | the files |
//! | [`study_room`] | the study-room page, which knows where the bridges are |
//! | [`operator`] | the operator's page, which knows where the metrics of the bridges are |
//! | [`page`] | what both have: the policy of their content |

mod assets;
mod operator;
mod page;
mod study_room;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use rollcall_guest::http::{self as guest, Response};
use rollcall_protocol::ErrorCode;
use rollcall_rooms::Error;
use spin_sdk::{
    http::{FullBody, Request},
    http_service,
};

/// What applies to every response.
const HEADERS: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

#[http_service]
async fn handle(request: Request) -> Response {
    let respond = async { respond(&request).await.unwrap_or_else(guest::problem) };
    let mut response = guest::request_context(request.headers()).within(respond).await;
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn respond(request: &Request) -> Result<Response, Error> {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return Ok(guest::method_not_allowed("GET, HEAD"));
    }
    match request.uri().path() {
        "/" => study_room::respond(request.headers()).await,
        "/operator" => operator::respond(request.headers()).await,
        path => {
            let asset = path.strip_prefix("/assets/").and_then(assets::find);
            Ok(asset.ok_or(ErrorCode::NoSuchPath)?.respond(request.headers()))
        }
    }
}

/// A file as a response, or the status 304 for who has it already.
fn respond_with(headers: &HeaderMap, tag: &str, file: impl FnOnce() -> (Bytes, &'static str)) -> Response {
    let mut response = if is_known(headers, tag) {
        guest::empty(StatusCode::NOT_MODIFIED)
    } else {
        let (body, content_type) = file();
        let mut response = Response::new(FullBody::new(body));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    };
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// Whether the client names this version. Proxies that compress make tags weak.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let named = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok()).unwrap_or_default();
    named
        .split(',')
        .map(|named| named.trim().trim_start_matches("W/"))
        .any(|named| named == tag || named == "*")
}

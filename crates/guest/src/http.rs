//! Bodies with a limit, and responses in JSON.

use bytes::Bytes;
use hyperium::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE};
use rollcall_protocol::{
    ErrorCode, Refusal,
    api::Problem,
    client::{Ack, Done},
};
use rollcall_rooms::Error;
use serde::Serialize;
use spin_sdk::{
    http::{FullBody, HeaderMap, HeaderValue, Request, StatusCode},
    wasip3::{http::types, wit_future},
    wit_bindgen::StreamResult,
};

use crate::log::{self, RequestContext};

/// How much of a body of unknown length is read at once.
const FRAME_BYTES: usize = 16 * 1024;

/// A response with a whole body.
pub type Response = hyperium::Response<FullBody<Bytes>>;

/// Reads a whole body of at most `max_bytes`, because Spin does not limit bodies.
///
/// A body whose length is known ends with its last byte: to wait for the end of the stream, and for the trailers after
/// it, would suspend the instance twice more.
pub async fn read_body(
    headers: &HeaderMap,
    received: types::Request,
    max_bytes: usize,
) -> Result<Vec<u8>, Refusal> {
    let broke_off = || Refusal::because(ErrorCode::Malformed, "the body broke off");
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let (_received, is_received) = wit_future::new(|| Ok(()));
    let (mut stream, trailers) = types::Request::consume_body(received, is_received);
    let mut body = Vec::new();
    while length.is_none_or(|length| body.len() < length) {
        let is_too_large = body.len().max(length.unwrap_or_default()) > max_bytes;
        if is_too_large {
            return Err(ErrorCode::PayloadTooLarge.into());
        }
        body.reserve_exact(length.map_or(FRAME_BYTES, |length| length - body.len()));
        let (read, with_frame) = stream.read(body).await;
        body = with_frame;
        if let StreamResult::Dropped = read {
            return match trailers.await {
                Ok(_) if length.is_none() => Ok(body),
                _ => Err(broke_off()),
            };
        }
    }
    Ok(body)
}

/// Takes the body out of a request, before any of it has been read.
pub fn take_body(request: &mut Request) -> Result<types::Request, Refusal> {
    request.body_mut().take_unstarted().ok_or_else(|| ErrorCode::Malformed.into())
}

/// The ids of a request for the log.
pub fn request_context(headers: &HeaderMap) -> RequestContext {
    RequestContext::read(|name| headers.get(name)?.to_str().ok())
}

/// Responds with JSON.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    typed(status, "application/json", body)
}

/// Responds with a constant text.
pub fn text(status: StatusCode, content_type: &'static str, text: &'static str) -> Response {
    let mut response = Response::new(FullBody::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Responds without a body.
pub fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(FullBody::default());
    *response.status_mut() = status;
    response
}

/// Responds with an ack.
pub fn ack<T: Serialize>(result: Result<T, Error>) -> Response {
    respond(result.map_err(refuse))
}

fn respond<T: Serialize>(result: Result<T, Refusal>) -> Response {
    let status = result.as_ref().map_or_else(|refusal| refusal.code.status(), |_| StatusCode::OK);
    json(status, &Ack::from(result))
}

/// Responds to a check. In contrast to an event's ack, the response tells why something is unavailable: it goes to the
/// operator of a bridge, who would otherwise have to look for the reason in the app's log.
pub(crate) fn check_result(result: Result<(), Error>) -> Response {
    let result = result.map(|()| Done {}).map_err(|error| match error {
        Error::Unavailable(reason) => Refusal::because(ErrorCode::Unavailable, reason),
        error => error.into_refusal(),
    });
    respond(result)
}

/// Responds with Problem Details (RFC 9457).
pub fn problem(error: Error) -> Response {
    let Refusal { code, message, .. } = refuse(error);
    let (title, status) = (code.message().to_owned(), code.status().as_u16());
    let problem = Problem { title, status, detail: message, code };
    typed(code.status(), "application/problem+json", &problem)
}

/// Refuses a method and lists the methods of the path.
pub fn method_not_allowed(methods: &'static str) -> Response {
    let mut response = problem(ErrorCode::MethodNotAllowed.into());
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

/// Turns an error into the refusal for the caller, and logs details that only operators may see.
pub(crate) fn refuse(error: Error) -> Refusal {
    if let Error::Unavailable(reason) = &error {
        log::error(format_args!("unavailable: {reason}"));
    }
    error.into_refusal()
}

fn typed(status: StatusCode, content_type: &'static str, body: &impl Serialize) -> Response {
    let Ok(body) = serde_json::to_vec(body) else { return empty(StatusCode::INTERNAL_SERVER_ERROR) };
    let mut response = Response::new(FullBody::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

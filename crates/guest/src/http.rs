//! Bodies with a limit, and responses in JSON.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyperium::header::{ALLOW, CONTENT_TYPE};
use rollcall_protocol::{
    ErrorCode, Refusal,
    api::Problem,
    client::{Ack, Done},
};
use rollcall_rooms::Error;
use serde::Serialize;
use spin_sdk::http::{FullBody, HeaderValue, Request, StatusCode};

use crate::log::{self, RequestContext};

/// A response with a whole body.
pub type Response = hyperium::Response<FullBody<Bytes>>;

/// Reads a whole body of at most `max_bytes`, because Spin does not limit bodies.
pub async fn read_body(request: &mut Request, max_bytes: usize) -> Result<Bytes, Refusal> {
    let mut read = BytesMut::new();
    while let Some(frame) = request.body_mut().frame().await {
        let frame = frame.map_err(|_| Refusal::because(ErrorCode::Malformed, "the body broke off"))?;
        let Ok(data) = frame.into_data() else { continue };
        if read.len() + data.len() > max_bytes {
            return Err(ErrorCode::PayloadTooLarge.into());
        }
        read.extend_from_slice(&data);
    }
    Ok(read.freeze())
}

/// The ids of a request for the log.
pub fn request_context(request: &Request) -> RequestContext {
    RequestContext::read(|name| request.headers().get(name)?.to_str().ok())
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
    let Refusal { code, message } = refuse(error);
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

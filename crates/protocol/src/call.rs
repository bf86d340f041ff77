//! The call that delivers one event from a bridge to the app: a CloudEvent over HTTP in binary mode, signed according to
//! the Standard Webhooks specification.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, header};
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};

use crate::{ErrorCode, EventJson, NodeId, Refusal, body, event::AppEvent};

/// The largest body of a call, in bytes.
pub const MAX_BODY_BYTES: usize = 128 * 1024;

const CE_SPECVERSION: &str = "ce-specversion";
const CE_ID: &str = "ce-id";
const CE_TYPE: &str = "ce-type";
const CE_SOURCE: &str = "ce-source";

/// A secret that bridges and the app share. Its text is `whsec_` and Base64.
pub struct Secret(Webhook);

/// The text is not a secret: the specification demands `whsec_` and the Base64 of at least 24 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a bridge secret must be `whsec_` followed by the Base64 of at least 24 random bytes")]
pub struct InvalidSecret;

/// 24 bytes make 32 characters of Base64.
const MIN_SECRET_CHARS: usize = 32;

impl std::str::FromStr for Secret {
    type Err = InvalidSecret;

    fn from_str(text: &str) -> Result<Self, InvalidSecret> {
        let encoded = text.strip_prefix("whsec_").ok_or(InvalidSecret)?;
        if encoded.len() < MIN_SECRET_CHARS {
            return Err(InvalidSecret);
        }
        Webhook::new(text).map(Self).map_err(|_| InvalidSecret)
    }
}

impl Secret {
    /// Adds the headers of a signed call with this body.
    pub(crate) fn sign(
        &self,
        id: &str,
        now_s: i64,
        body: &[u8],
        request: http::request::Builder,
    ) -> Result<http::request::Builder, CallError> {
        let signature = self.0.sign(id, now_s, body).map_err(|_| CallError::Signature)?;
        Ok(request
            .header(HEADER_WEBHOOK_ID, id)
            .header(HEADER_WEBHOOK_TIMESTAMP, now_s)
            .header(HEADER_WEBHOOK_SIGNATURE, signature))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Reads a list of secrets, separated by white space. A rotation needs several at once.
pub fn parse_secrets(list: &str) -> Result<Vec<Secret>, InvalidSecret> {
    let secrets: Vec<Secret> = list.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    if secrets.is_empty() { Err(InvalidSecret) } else { Ok(secrets) }
}

/// Makes the call that delivers an event. The URI is the path alone.
///
/// `id` identifies the event; every delivery of the same event carries the same id. `now_s` is the time of this delivery
/// in seconds since 1970.
pub fn sign<E: AppEvent>(
    event: &E,
    id: &str,
    source: &NodeId,
    now_s: i64,
    secret: &Secret,
) -> Result<Request<Bytes>, CallError> {
    EventJson::new(event)?.sign(id, source, now_s, secret)
}

impl EventJson {
    /// Makes the call that delivers the event, as [`sign`] does.
    pub fn sign(
        &self,
        id: &str,
        source: &NodeId,
        now_s: i64,
        secret: &Secret,
    ) -> Result<Request<Bytes>, CallError> {
        let (kind, body) = (self.kind(), self.get().get().as_bytes().to_vec());
        sign_body(body, kind.path(), kind.ce_type(), id, source, now_s, secret)
    }
}

/// Makes a call with this body.
pub(crate) fn sign_body(
    body: Vec<u8>,
    path: &'static str,
    ce_type: &'static str,
    id: &str,
    source: &NodeId,
    now_s: i64,
    secret: &Secret,
) -> Result<Request<Bytes>, CallError> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header(CE_SPECVERSION, HeaderValue::from_static("1.0"))
        .header(CE_ID, id)
        .header(CE_TYPE, HeaderValue::from_static(ce_type))
        .header(CE_SOURCE, source_uri(source));
    Ok(secret.sign(id, now_s, &body, request)?.body(Bytes::from(body))?)
}

/// The CloudEvents `source` of a bridge's events.
pub(crate) fn source_uri(node: &NodeId) -> String {
    format!("/bridges/{node}")
}

/// A call could not be made. No valid event causes this error, because ids hold no control characters.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The event could not be written as JSON.
    #[error("the event cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A header could not be written.
    #[error("the call cannot be written as HTTP: {0}")]
    Http(#[from] http::Error),
    /// The body could not be signed.
    #[error("the call cannot be signed")]
    Signature,
}

/// Checks a call's signature, age and headers, and reads its event.
///
/// The function parses the body only after the signature has proved valid.
pub fn verify<E: AppEvent>(headers: &HeaderMap, body: &[u8], secrets: &[Secret]) -> Result<E, Refusal> {
    check_signature(headers, body, secrets)?;
    check_cloud_event(headers, E::KIND.ce_type())?;
    body::read(body)
}

/// Whether a call has a signature, valid or not.
#[must_use]
pub fn is_signed(headers: &HeaderMap) -> bool {
    headers.contains_key(HEADER_WEBHOOK_SIGNATURE)
}

/// Checks a call's size, signature and age. The body must not be parsed before.
///
/// # Errors
///
/// `SIGNATURE_INVALID`, or `PAYLOAD_TOO_LARGE`.
pub fn check_signature(headers: &HeaderMap, body: &[u8], secrets: &[Secret]) -> Result<(), Refusal> {
    if body.len() > MAX_BODY_BYTES {
        return Err(ErrorCode::PayloadTooLarge.into());
    }
    if !has_plausible_time(headers) || !secrets.iter().any(|secret| secret.0.verify(body, headers).is_ok()) {
        return Err(ErrorCode::SignatureInvalid.into());
    }
    Ok(())
}

/// The library subtracts the time of a call from its own, and the result of times near the ends of the range overflows.
fn has_plausible_time(headers: &HeaderMap) -> bool {
    let mut times = headers.get_all(HEADER_WEBHOOK_TIMESTAMP).iter();
    let time = times.next().and_then(|time| time.to_str().ok()?.parse::<i64>().ok());
    time.is_some_and(|time| (0..=i64::MAX / 2).contains(&time)) && times.next().is_none()
}

/// The CloudEvents `type` that a call claims to have.
pub(crate) fn ce_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(CE_TYPE)?.to_str().ok()
}

/// Checks the headers of a CloudEvent. The signature must be checked before.
pub(crate) fn check_cloud_event(headers: &HeaderMap, expected_type: &str) -> Result<(), Refusal> {
    let malformed = |message: &str| Refusal::because(ErrorCode::Malformed, message);
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if header(CE_SPECVERSION) != Some("1.0") {
        return Err(malformed("ce-specversion must be 1.0"));
    }
    if ce_type(headers) != Some(expected_type) {
        return Err(malformed("ce-type does not fit the path"));
    }
    // The signature covers webhook-id and not ce-id.
    if header(CE_ID).is_none() || header(CE_ID) != header(HEADER_WEBHOOK_ID) {
        return Err(malformed("ce-id must be the same as webhook-id"));
    }
    if header(CE_SOURCE).is_none_or(str::is_empty) {
        return Err(malformed("ce-source is missing"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;
    use crate::event::{Connect, Disconnect, Leave, Membership};

    const OLD: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";
    const NEW: &str = "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4";

    fn now_s() -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
    }

    fn event() -> Connect {
        Connect { token: "t".into() }
    }

    fn call_at(now_s: i64) -> Request<Bytes> {
        let node = NodeId::new("node-1").unwrap();
        sign(&event(), "event-1", &node, now_s, &OLD.parse().unwrap()).unwrap()
    }

    fn verify_call(call: &Request<Bytes>, secrets: &str) -> Result<Connect, ErrorCode> {
        verify(call.headers(), call.body(), &parse_secrets(secrets).unwrap()).map_err(|refusal| refusal.code)
    }

    #[test]
    fn a_signed_call_is_read() {
        assert_eq!(verify_call(&call_at(now_s()), OLD), Ok(event()));
    }

    #[test]
    fn any_of_several_secrets_will_do() {
        assert_eq!(verify_call(&call_at(now_s()), &format!("{NEW} {OLD}")), Ok(event()));
        assert_eq!(verify_call(&call_at(now_s()), NEW), Err(ErrorCode::SignatureInvalid));
    }

    #[test]
    fn an_altered_call_is_refused() {
        let mut call = call_at(now_s());
        *call.body_mut() = Bytes::from_static(br#"{"type":"connect","token":"u"}"#);
        assert_eq!(verify_call(&call, OLD), Err(ErrorCode::SignatureInvalid));
    }

    #[test]
    fn an_unsigned_call_is_refused() {
        let mut call = call_at(now_s());
        call.headers_mut().remove(HEADER_WEBHOOK_SIGNATURE);
        assert_eq!(verify_call(&call, OLD), Err(ErrorCode::SignatureInvalid));
    }

    #[test]
    fn a_call_with_a_signature_of_any_kind_counts_as_signed() {
        let mut call = call_at(now_s());
        assert!(is_signed(call.headers()));
        call.headers_mut().insert(HEADER_WEBHOOK_SIGNATURE, "x".parse().unwrap());
        assert!(is_signed(call.headers()));
        call.headers_mut().remove(HEADER_WEBHOOK_SIGNATURE);
        assert!(!is_signed(call.headers()));
    }

    #[test]
    fn a_call_that_is_no_cloud_event_is_refused() {
        for (name, wrong) in [
            (CE_SPECVERSION, Some("0.3")),
            (CE_TYPE, Some("rollcall.leave")),
            (CE_ID, Some("event-2")),
            (CE_SOURCE, Some("")),
            (CE_SPECVERSION, None),
            (CE_TYPE, None),
            (CE_ID, None),
            (CE_SOURCE, None),
        ] {
            let mut call = call_at(now_s());
            let headers = call.headers_mut();
            match wrong {
                Some(value) => drop(headers.insert(name, value.parse().unwrap())),
                None => drop(headers.remove(name)),
            }
            assert_eq!(verify_call(&call, OLD), Err(ErrorCode::Malformed), "{name}: {wrong:?}");
        }
    }

    #[test]
    fn the_largest_body_is_read_before_its_signature_counts() {
        let check = |length| {
            let refused = check_signature(&HeaderMap::new(), &vec![0; length], &[]).unwrap_err();
            refused.code
        };
        assert_eq!(check(MAX_BODY_BYTES), ErrorCode::SignatureInvalid);
        assert_eq!(check(MAX_BODY_BYTES + 1), ErrorCode::PayloadTooLarge);
    }

    #[test]
    fn a_secret_does_not_show_in_debug_output() {
        let secret: Secret = OLD.parse().unwrap();
        let text = format!("{secret:?}");
        assert!(text.contains("Secret") && !text.contains(&OLD[6..]), "{text}");
    }

    #[test]
    fn a_stale_call_is_refused() {
        assert_eq!(verify_call(&call_at(now_s() - 301), OLD), Err(ErrorCode::SignatureInvalid));
        assert_eq!(verify_call(&call_at(now_s() + 302), OLD), Err(ErrorCode::SignatureInvalid));
        for far in [i64::MAX, i64::MIN, i64::MIN + now_s(), -1] {
            assert_eq!(verify_call(&call_at(far), OLD), Err(ErrorCode::SignatureInvalid), "{far}");
        }
        let mut twice = call_at(now_s() - 301);
        twice.headers_mut().append(HEADER_WEBHOOK_TIMESTAMP, now_s().into());
        assert_eq!(verify_call(&twice, OLD), Err(ErrorCode::SignatureInvalid));
    }

    #[test]
    fn a_call_signed_for_one_path_does_not_work_on_another() {
        let membership = Membership {
            room_id: "r".parse().unwrap(),
            user_id: "u".parse().unwrap(),
            entry_id: "e".parse().unwrap(),
        };
        let node = NodeId::new("node-1").unwrap();
        let event = Disconnect(membership);
        let mut call = sign(&event, "event-1", &node, now_s(), &OLD.parse().unwrap()).unwrap();
        call.headers_mut().insert(CE_TYPE, HeaderValue::from_static("rollcall.leave"));
        let secrets = parse_secrets(OLD).unwrap();
        let refusal = verify::<Leave>(call.headers(), call.body(), &secrets).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::Malformed);
    }

    #[test]
    fn weak_secrets_are_refused() {
        for text in [
            "",
            "whsec_",
            "whsec_c2hvcnQ=",
            "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3",
            "whsec_%%%%MzQ1Njc4OWFiY2RlZjAxMjM0NTY3",
        ] {
            assert!(text.parse::<Secret>().is_err(), "{text}");
        }
        assert!(parse_secrets(" ").is_err());
    }
}

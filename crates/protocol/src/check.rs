//! The call that asks a component whether it could handle its events: whether its variables are usable, and whether it
//! reaches what it needs. A bridge asks before it reports that it is ready.

use bytes::Bytes;
use http::{HeaderMap, Request};
use serde::{Deserialize, Serialize};

use crate::{
    ErrorCode, NodeId, Refusal,
    call::{self, CallError, Secret},
    event::EventKind,
    json,
};

const CE_TYPE: &str = "rollcall.check";

/// The body. It names the component, because the signature does not cover the path.
#[derive(Serialize, Deserialize)]
struct Body {
    #[serde(rename = "type")]
    kind: BodyKind,
    component: EventKind,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum BodyKind {
    Check,
}

/// Makes the call that checks the component for a kind of events. The URI is the path alone.
pub fn sign(
    component: EventKind,
    id: &str,
    source: &NodeId,
    now_s: i64,
    secret: &Secret,
) -> Result<Request<Bytes>, CallError> {
    let body = serde_json::to_vec(&Body { kind: BodyKind::Check, component })?;
    call::sign_body(body, component.path(), CE_TYPE, id, source, now_s, secret)
}

/// Whether the headers of a call are those of a check.
pub fn is_check(headers: &HeaderMap) -> bool {
    call::ce_type(headers) == Some(CE_TYPE)
}

/// Checks a call's signature, age and headers.
pub fn verify(
    headers: &HeaderMap,
    body: &[u8],
    secrets: &[Secret],
    component: EventKind,
) -> Result<(), Refusal> {
    call::check_signature(headers, body, secrets)?;
    call::check_cloud_event(headers, CE_TYPE)?;
    let malformed = |message: String| Refusal::because(ErrorCode::Malformed, message);
    let checked: Body =
        json::from_object(body).map_err(|error| malformed(format!("the check cannot be read: {error}")))?;
    if checked.component == component {
        Ok(())
    } else {
        Err(malformed(format!("the check is for {}, not for {}", checked.component.name(), component.name())))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;
    use crate::event::Leave;

    const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";

    fn check() -> Request<Bytes> {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap();
        let node = NodeId::new("node-1").unwrap();
        sign(EventKind::Leave, "check-1", &node, now_s, &SECRET.parse().unwrap()).unwrap()
    }

    fn verify_for(call: &Request<Bytes>, component: EventKind) -> Result<(), ErrorCode> {
        let secrets = [SECRET.parse().unwrap()];
        verify(call.headers(), call.body(), &secrets, component).map_err(|refusal| refusal.code)
    }

    #[test]
    fn a_check_is_for_one_component() {
        assert!(is_check(check().headers()));
        assert_eq!(check().uri(), "/events/leave");
        assert_eq!(verify_for(&check(), EventKind::Leave), Ok(()));
        assert_eq!(verify_for(&check(), EventKind::Join), Err(ErrorCode::Malformed));
    }

    #[test]
    fn a_check_without_a_valid_signature_is_refused() {
        let mut altered = check();
        *altered.body_mut() = Bytes::from_static(br#"{"type":"check","component":"join"}"#);
        assert_eq!(verify_for(&altered, EventKind::Join), Err(ErrorCode::SignatureInvalid));
    }

    #[test]
    fn a_check_is_no_event_and_an_event_no_check() {
        let (call, secrets) = (check(), [SECRET.parse().unwrap()]);
        let refusal = call::verify::<Leave>(call.headers(), call.body(), &secrets).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::Malformed);
        let mut posing = check();
        posing.headers_mut().insert("ce-type", http::HeaderValue::from_static("rollcall.leave"));
        assert!(!is_check(posing.headers()));
        let refusal = call::verify::<Leave>(posing.headers(), posing.body(), &secrets).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::Malformed);
    }
}

//! The call that delivers many events of one kind: CloudEvents over HTTP in batch mode, under one signature.

use std::collections::HashSet;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, header};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    ErrorCode, EventId, EventJson, NodeId, Refusal, body,
    call::{self, CallError, MAX_BODY_BYTES, Secret},
    client::{Ack, AckFields},
    error::Current,
    event::{AppEvent, EventKind},
    json,
};

/// The most events of one batch. With ids of usual length, such a batch stays well below the limit of a call's body.
pub const MAX_BATCH_EVENTS: usize = 200;

/// The most bytes of outcomes in one response, unless the first outcome alone is larger.
pub const MAX_OUTCOME_BYTES: usize = 1024 * 1024;

const MEDIA_TYPE: &str = "application/cloudevents-batch+json";
const SPECVERSION: &str = "1.0";

/// One event of a batch that the app received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchedEvent<E> {
    /// The id of the event, the same in every delivery of the event.
    pub id: EventId,
    /// The `traceparent` of W3C Trace Context, if the event belongs to a trace.
    pub traceparent: Option<String>,
    /// The event, or why the app refuses to read it.
    pub event: Result<E, Refusal>,
}

/// The results of the events of a batch. An event without an outcome found no space in the response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes<T> {
    /// At most one outcome for each event.
    pub outcomes: Vec<T>,
}

/// The result of one event of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome<T> {
    /// The event.
    pub id: EventId,
    /// The response to the same event alone.
    #[serde(flatten)]
    pub ack: Ack<T>,
}

/// Serde's own way to read flattened fields cannot read JSON that stays as it is, such as a list of members.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Outcome<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(bound = "T: Deserialize<'de>")]
        struct Wire<T> {
            id: EventId,
            success: bool,
            data: Option<T>,
            code: Option<ErrorCode>,
            message: Option<String>,
            current: Option<Current>,
        }

        let Wire { id, success, data, code, message, current } = Wire::<T>::deserialize(deserializer)?;
        let ack = AckFields { success, data, code, message, current }.into_ack()?;
        Ok(Self { id, ack })
    }
}

impl Outcomes<Box<RawValue>> {
    /// Writes the first outcomes, as many as fit into one response.
    pub fn fit<T: Serialize>(all: impl IntoIterator<Item = Outcome<T>>) -> serde_json::Result<Self> {
        let mut outcomes: Vec<Box<RawValue>> = Vec::new();
        let mut bytes = 0;
        for outcome in all {
            let json = to_raw_value(&outcome)?;
            bytes += json.get().len();
            if bytes > MAX_OUTCOME_BYTES && !outcomes.is_empty() {
                break;
            }
            outcomes.push(json);
        }
        Ok(Self { outcomes })
    }
}

#[derive(Serialize, Deserialize)]
struct CloudEvent<I, S, D> {
    specversion: S,
    id: I,
    #[serde(rename = "type")]
    ce_type: S,
    source: S,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<S>,
    data: D,
}

/// Builds the body of one call from a bridge's events of one kind.
pub struct Batch {
    kind: EventKind,
    source: String,
    body: Vec<u8>,
    events: usize,
}

impl Batch {
    /// An empty batch.
    pub fn new(kind: EventKind, source: &NodeId) -> Self {
        Self { kind, source: call::source_uri(source), body: Vec::from(b"["), events: 0 }
    }

    /// Adds an event if the batch has room for the event. Returns whether the batch had room.
    ///
    /// `id` is the same in every delivery of the event.
    pub fn add(&mut self, id: &str, traceparent: Option<&str>, event: &EventJson) -> Result<bool, CallError> {
        let event = CloudEvent {
            specversion: SPECVERSION,
            id,
            ce_type: event.kind().ce_type(),
            source: &self.source,
            traceparent,
            data: event.get(),
        };
        let json = serde_json::to_vec(&event)?;
        let comma: &[u8] = if self.events > 0 { b"," } else { b"" };
        // One more byte for the closing bracket.
        let length = self.body.len() + comma.len() + json.len() + 1;
        if self.events == MAX_BATCH_EVENTS || length > MAX_BODY_BYTES {
            return Ok(false);
        }
        self.body.extend_from_slice(comma);
        self.body.extend_from_slice(&json);
        self.events += 1;
        Ok(true)
    }

    /// Makes the call that delivers the batch. The URI is the path alone.
    ///
    /// `id` identifies the call. The events keep their own ids, so a bridge may retry an event in any batch.
    pub fn sign(mut self, id: &str, now_s: i64, secret: &Secret) -> Result<Request<Bytes>, CallError> {
        self.body.push(b']');
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.kind.path())
            .header(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        Ok(secret.sign(id, now_s, &self.body, request)?.body(Bytes::from(self.body))?)
    }
}

/// Whether the content type of a call is that of a batch.
pub fn is_batch(headers: &HeaderMap) -> bool {
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media_type.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(MEDIA_TYPE))
}

/// Checks a call's signature and age, and reads its events.
///
/// The function parses the body only after the signature has proved valid. Anything wrong with the batch itself, or with
/// what names its events, spoils the whole batch. Wrong data of an event spoils this event only.
pub fn verify<E: AppEvent>(
    headers: &HeaderMap,
    body: &[u8],
    secrets: &[Secret],
) -> Result<Vec<BatchedEvent<E>>, Refusal> {
    call::check_signature(headers, body, secrets)?;
    if !is_batch(headers) {
        return Err(malformed(format!("a batch has the content type {MEDIA_TYPE}")));
    }
    let unreadable = |error: serde_json::Error| malformed(format!("the batch cannot be read: {error}"));
    let events: Vec<&RawValue> = serde_json::from_slice(body).map_err(unreadable)?;
    let events: Vec<CloudEvent<EventId, String, &RawValue>> = events
        .into_iter()
        .map(|event| json::from_object_str(event.get()))
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    if !(1..=MAX_BATCH_EVENTS).contains(&events.len()) {
        return Err(malformed(format!("a batch holds 1 to {MAX_BATCH_EVENTS} events")));
    }
    let mut ids = HashSet::new();
    let source = events.first().map(|event| event.source.clone()).unwrap_or_default();
    for event in &events {
        check::<E>(event, &source)?;
        if !ids.insert(&event.id) {
            return Err(malformed("two events of the batch have the same id"));
        }
    }
    let read = |CloudEvent { id, traceparent, data, .. }: CloudEvent<EventId, String, &RawValue>| {
        BatchedEvent { id, traceparent, event: body::read(data.get().as_bytes()) }
    };
    Ok(events.into_iter().map(read).collect())
}

fn check<E: AppEvent>(event: &CloudEvent<EventId, String, &RawValue>, source: &str) -> Result<(), Refusal> {
    if event.specversion != SPECVERSION {
        return Err(malformed("specversion must be 1.0"));
    }
    if event.ce_type != E::KIND.ce_type() {
        return Err(malformed("the batch holds an event of another kind than its path"));
    }
    if event.source.is_empty() || event.source != source {
        return Err(malformed("all events of a batch have one source"));
    }
    Ok(())
}

fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::because(ErrorCode::Malformed, message)
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use serde_json::{Value, json};

    use super::*;
    use crate::{
        EntryId,
        call::parse_secrets,
        client::Done,
        event::{Disconnect, Leave, Membership},
    };

    const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";

    fn now_s() -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
    }

    fn node() -> NodeId {
        NodeId::new("node-1").unwrap()
    }

    fn disconnect(n: usize) -> BatchedEvent<Disconnect> {
        let membership = Membership {
            room_id: "r".parse().unwrap(),
            user_id: "u".parse().unwrap(),
            entry_id: EntryId::new(format!("entry-{n}")).unwrap(),
        };
        let id = EventId::new(format!("event-{n}")).unwrap();
        BatchedEvent { id, traceparent: None, event: Ok(Disconnect(membership)) }
    }

    fn empty() -> Batch {
        Batch::new(EventKind::Disconnect, &node())
    }

    fn add(batch: &mut Batch, BatchedEvent { id, traceparent, event }: &BatchedEvent<Disconnect>) -> bool {
        let event = EventJson::new(event.as_ref().unwrap()).unwrap();
        batch.add(id.as_str(), traceparent.as_deref(), &event).unwrap()
    }

    fn call_of(events: &[BatchedEvent<Disconnect>]) -> Request<Bytes> {
        let mut batch = empty();
        for event in events {
            assert!(add(&mut batch, event));
        }
        batch.sign("call-1", now_s(), &SECRET.parse().unwrap()).unwrap()
    }

    /// A call with any body and a valid signature.
    fn signed(body: &str, now_s: i64) -> Request<Bytes> {
        let request = Request::builder().header(header::CONTENT_TYPE, MEDIA_TYPE);
        let secret: Secret = SECRET.parse().unwrap();
        let body = Bytes::copy_from_slice(body.as_bytes());
        secret.sign("call-1", now_s, &body, request).unwrap().body(body).unwrap()
    }

    fn verify_call(call: &Request<Bytes>) -> Result<Vec<BatchedEvent<Disconnect>>, ErrorCode> {
        verify(call.headers(), call.body(), &parse_secrets(SECRET).unwrap()).map_err(|refusal| refusal.code)
    }

    /// Verifies a batch of two events after a change of the second.
    fn verify_with_second(
        change: impl FnOnce(&mut Value),
    ) -> Result<Vec<BatchedEvent<Disconnect>>, ErrorCode> {
        let mut events: Value =
            serde_json::from_slice(call_of(&[disconnect(1), disconnect(2)]).body()).unwrap();
        change(&mut events[1]);
        verify_call(&signed(&events.to_string(), now_s()))
    }

    #[test]
    fn a_signed_batch_is_read_event_by_event() {
        let mut events = vec![disconnect(1), disconnect(2)];
        events[1].traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
        assert_eq!(verify_call(&call_of(&events)), Ok(events));
        assert_eq!(verify_with_second(|_| ()), Ok(vec![disconnect(1), disconnect(2)]));
    }

    #[test]
    fn an_event_is_a_cloud_event_in_json() {
        let events: Value = serde_json::from_slice(call_of(&[disconnect(1)]).body()).unwrap();
        let data = json!({"type": "disconnect", "roomId": "r", "userId": "u", "entryId": "entry-1"});
        let expected = json!([{
            "specversion": "1.0", "id": "event-1", "type": "rollcall.disconnect", "source": "/bridges/node-1",
            "data": data,
        }]);
        assert_eq!(events, expected);
    }

    #[test]
    fn an_unsigned_an_altered_and_a_stale_batch_are_refused() {
        let mut unsigned = call_of(&[disconnect(1)]);
        unsigned.headers_mut().remove("webhook-signature");
        let mut altered = call_of(&[disconnect(1)]);
        *altered.body_mut() = call_of(&[disconnect(2)]).into_body();
        let events = String::from_utf8(call_of(&[disconnect(1)]).body().to_vec()).unwrap();
        for call in [unsigned, altered, signed(&events, now_s() - 301), signed(&events, now_s() + 302)] {
            assert_eq!(verify_call(&call), Err(ErrorCode::SignatureInvalid));
        }
    }

    #[test]
    fn a_batch_has_its_content_type() {
        let mut call = call_of(&[disconnect(1)]);
        for good in [MEDIA_TYPE, "Application/CloudEvents-Batch+JSON ; charset=utf-8"] {
            call.headers_mut().insert(header::CONTENT_TYPE, good.parse().unwrap());
            assert!(verify_call(&call).is_ok(), "{good}");
        }
        for wrong in ["application/json", "application/cloudevents+json", ""] {
            call.headers_mut().insert(header::CONTENT_TYPE, wrong.parse().unwrap());
            assert_eq!(verify_call(&call), Err(ErrorCode::Malformed), "{wrong}");
        }
        call.headers_mut().remove(header::CONTENT_TYPE);
        assert_eq!(verify_call(&call), Err(ErrorCode::Malformed));
    }

    #[test]
    fn an_event_with_wrong_data_is_refused_by_itself() {
        let leave = json!({"type": "leave", "roomId": "r", "userId": "u", "entryId": "e"});
        let nobody = json!({"type": "disconnect", "roomId": "r", "userId": "", "entryId": "e"});
        for data in [leave, nobody, json!({}), json!(null), json!(["disconnect", "r", "u", "e"])] {
            let events = verify_with_second(|event| event["data"] = data.clone()).unwrap();
            assert_eq!(events[0], disconnect(1));
            assert_eq!(events[1].id.as_str(), "event-2");
            assert_eq!(events[1].event.as_ref().unwrap_err().code, ErrorCode::Malformed, "{data}");
        }
    }

    #[test]
    fn a_batch_of_another_kind_or_with_another_kind_inside_is_refused() {
        assert_eq!(
            verify_with_second(|event| event["type"] = json!("rollcall.leave")),
            Err(ErrorCode::Malformed)
        );
        let call = call_of(&[disconnect(1)]);
        let secrets = parse_secrets(SECRET).unwrap();
        let refusal = verify::<Leave>(call.headers(), call.body(), &secrets).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::Malformed);
    }

    #[test]
    fn every_event_has_an_id_of_its_own() {
        assert_eq!(verify_with_second(|event| event["id"] = json!("event-1")), Err(ErrorCode::Malformed));
        for id in [json!(""), json!(null), json!("x".repeat(129)), json!("a\nb")] {
            assert_eq!(
                verify_with_second(|event| event["id"] = id.clone()),
                Err(ErrorCode::Malformed),
                "{id}"
            );
        }
    }

    #[test]
    fn all_events_of_a_batch_have_one_source_and_a_known_version() {
        for source in ["", "/bridges/node-2"] {
            assert_eq!(
                verify_with_second(|event| event["source"] = json!(source)),
                Err(ErrorCode::Malformed)
            );
        }
        assert_eq!(
            verify_with_second(|event| event["specversion"] = json!("0.3")),
            Err(ErrorCode::Malformed)
        );
    }

    #[test]
    fn a_body_that_is_no_batch_is_refused() {
        let deep = "[".repeat(10_000);
        for body in ["", "{", "{}", "[]", "[1]", r#"[{"id":"a"}]"#, deep.as_str()] {
            assert_eq!(verify_call(&signed(body, now_s())), Err(ErrorCode::Malformed), "{body}");
        }
    }

    #[test]
    fn a_batch_holds_at_most_200_events() {
        let mut batch = empty();
        let taken = (0..=MAX_BATCH_EVENTS).take_while(|&n| add(&mut batch, &disconnect(n))).count();
        assert_eq!(taken, MAX_BATCH_EVENTS);
        let call = batch.sign("call-1", now_s(), &SECRET.parse().unwrap()).unwrap();
        assert_eq!(verify_call(&call).unwrap().len(), MAX_BATCH_EVENTS);

        let mut events: Vec<Value> = serde_json::from_slice(call.body()).unwrap();
        let mut last = events[0].clone();
        last["id"] = json!("one-too-many");
        events.push(last);
        assert_eq!(verify_call(&signed(&json!(events).to_string(), now_s())), Err(ErrorCode::Malformed));
    }

    #[test]
    fn a_batch_never_grows_above_the_limit_of_a_body() {
        let mut batch = empty();
        // The longest ids: JSON writes each of these characters as two.
        let mut long = disconnect(0);
        let id = "\"".repeat(crate::id::MAX_ID_BYTES);
        long.event = Ok(Disconnect(Membership {
            room_id: id.parse().unwrap(),
            user_id: id.parse().unwrap(),
            entry_id: id.parse().unwrap(),
        }));
        let mut taken = 0;
        loop {
            long.id = EventId::new(format!("event-{taken}")).unwrap();
            if !add(&mut batch, &long) {
                break;
            }
            taken += 1;
        }
        assert!(taken < MAX_BATCH_EVENTS);
        let call = batch.sign("call-1", now_s(), &SECRET.parse().unwrap()).unwrap();
        assert!(call.body().len() <= MAX_BODY_BYTES);
        assert_eq!(verify_call(&call).unwrap().len(), taken);
    }

    #[test]
    fn a_batch_is_filled_to_the_last_byte_and_not_further() {
        let padded = |bytes| BatchedEvent { traceparent: Some("x".repeat(bytes)), ..disconnect(2) };
        let filled = |bytes| {
            let mut batch = empty();
            let is_added = add(&mut batch, &disconnect(1)) && add(&mut batch, &padded(bytes));
            is_added.then(|| batch.sign("call-1", now_s(), &SECRET.parse().unwrap()).unwrap())
        };
        let fits = MAX_BODY_BYTES - filled(0).unwrap().body().len();
        assert_eq!(filled(fits).unwrap().body().len(), MAX_BODY_BYTES);
        assert!(filled(fits + 1).is_none());
    }

    #[test]
    fn a_body_above_the_limit_is_refused() {
        let too_large = signed(&format!("[{}]", " ".repeat(MAX_BODY_BYTES)), now_s());
        assert_eq!(verify_call(&too_large), Err(ErrorCode::PayloadTooLarge));
    }

    fn outcome<T>(id: &str, result: Result<T, ErrorCode>) -> Outcome<T> {
        Outcome { id: EventId::new(id).unwrap(), ack: Ack::from(result) }
    }

    #[test]
    fn outcomes_are_acks_with_an_id() {
        let written =
            Outcomes { outcomes: vec![outcome("a", Ok(Done {})), outcome("b", Err(ErrorCode::Unavailable))] };
        let json = serde_json::to_value(&written).unwrap();
        let message = ErrorCode::Unavailable.message();
        let expected = json!({"outcomes": [
            {"id": "a", "success": true, "data": {}},
            {"id": "b", "success": false, "code": "UNAVAILABLE", "message": message},
        ]});
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_str::<Outcomes<Outcome<Done>>>(&expected.to_string()).unwrap(), written);
    }

    #[test]
    fn an_outcome_keeps_the_json_of_its_response() {
        let text = r#"{"outcomes":[{"id":"a","success":true,"data":{"members":[ {"x":1e3} ],"n":1}}]}"#;
        let Outcomes { outcomes } = serde_json::from_str::<Outcomes<Outcome<Box<RawValue>>>>(text).unwrap();
        let [Outcome { ack, .. }] = <[_; 1]>::try_from(outcomes).unwrap();
        assert_eq!(ack.into_result().unwrap().get(), r#"{"members":[ {"x":1e3} ],"n":1}"#);
    }

    #[test]
    fn a_response_holds_as_many_outcomes_as_fit_and_at_least_one() {
        let fitted = |sizes: &[usize]| {
            let all = sizes.iter().map(|&size| outcome("a", Ok("x".repeat(size))));
            Outcomes::fit(all).unwrap().outcomes.len()
        };
        let overhead = serde_json::to_string(&outcome("a", Ok(""))).unwrap().len();
        let half = MAX_OUTCOME_BYTES / 2 - overhead;
        assert_eq!(fitted(&[half, half, 0]), 2);
        assert_eq!(fitted(&[half, half + 1, 0]), 1);
        assert_eq!(fitted(&[MAX_OUTCOME_BYTES, 0]), 1);
        assert_eq!(fitted(&[]), 0);
    }
}

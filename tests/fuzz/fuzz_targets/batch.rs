//! Batches of events. From any signed body, only a valid batch is read.
#![no_main]

use std::{
    collections::HashSet,
    time::{SystemTime, UNIX_EPOCH},
};

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use rollcall_protocol::{
    batch::{self, MAX_BATCH_EVENTS},
    call,
    event::Disconnect,
};
use standardwebhooks::Webhook;

const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";

fuzz_target!(|body: &str| {
    let body = body.as_bytes();
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
    let signature = Webhook::new(SECRET).expect("a secret").sign("call", now_s, body).expect("a signature");
    let mut headers = HeaderMap::new();
    let text = |text: &str| HeaderValue::from_str(text).expect("text");
    headers.insert("content-type", text("application/cloudevents-batch+json"));
    headers.insert("webhook-id", text("call"));
    headers.insert("webhook-timestamp", text(&now_s.to_string()));
    headers.insert("webhook-signature", text(&signature));
    let secrets = call::parse_secrets(SECRET).expect("a secret");
    let Ok(events) = batch::verify::<Disconnect>(&headers, body, &secrets) else { return };
    assert!((1..=MAX_BATCH_EVENTS).contains(&events.len()));
    let ids: HashSet<_> = events.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids.len(), events.len());
});

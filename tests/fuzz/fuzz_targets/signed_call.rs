//! Calls from bridges: the headers of CloudEvents and of signatures, and the events in them.
#![no_main]

use std::time::{SystemTime, UNIX_EPOCH};

use arbitrary::Arbitrary;
use http::{HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use rollcall_protocol::{
    NodeId,
    call::{self, Secret},
    event::{Disconnect, Membership},
};
use standardwebhooks::Webhook;

const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    /// A good call, with one header replaced.
    Header { which: u8, value: &'a [u8] },
    /// A good call, with one byte of the body replaced.
    Body { at: u16, byte: u8 },
    /// Any body, signed.
    Signed { body: &'a str },
}

fuzz_target!(|input: Input| {
    let secrets: Vec<Secret> = call::parse_secrets(SECRET).expect("a secret");
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
    let event = Disconnect(Membership {
        room_id: "room".parse().expect("an id"),
        user_id: "kim".parse().expect("an id"),
        entry_id: "entry".parse().expect("an id"),
    });
    let node: NodeId = "node".parse().expect("an id");
    let good = call::sign(&event, "event", &node, now_s, &secrets[0]).expect("a call");
    let (mut headers, body) = (good.headers().clone(), good.body().to_vec());
    let verify = |headers: &_, body: &[u8]| call::verify::<Disconnect>(headers, body, &secrets);
    match input {
        Input::Header { which, value } => {
            let names = [
                "webhook-id",
                "webhook-timestamp",
                "webhook-signature",
                "ce-id",
                "ce-type",
                "ce-specversion",
            ];
            let name = HeaderName::from_static(names[usize::from(which) % names.len()]);
            let Ok(value) = HeaderValue::from_bytes(value) else { return };
            let is_same = headers.get(&name) == Some(&value);
            let has_good_signature = name == "webhook-signature"
                && value.to_str().is_ok_and(|value| {
                    let good = headers[&name].to_str().unwrap_or_default();
                    value.split(' ').any(|one| one == good)
                });
            headers.insert(name, value);
            assert!(verify(&headers, &body).is_err() || is_same || has_good_signature);
        }
        Input::Body { at, byte } => {
            let mut altered = body.clone();
            let place = usize::from(at) % altered.len();
            altered[place] = byte;
            assert!(verify(&headers, &altered).is_err() || altered == body);
        }
        Input::Signed { body } => {
            let body = body.as_bytes();
            let signature =
                Webhook::new(SECRET).expect("a secret").sign("event", now_s, body).expect("a signature");
            headers.insert("webhook-signature", HeaderValue::from_str(&signature).expect("text"));
            if let Ok(event) = verify(&headers, body) {
                let again = call::sign(&event, "event", &node, now_s, &secrets[0]).expect("a call");
                let read = verify(again.headers(), again.body()).expect("a signed event reads back");
                assert_eq!(read, event);
            }
        }
    }
});

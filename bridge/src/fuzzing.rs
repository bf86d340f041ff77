//! The parsers that strangers reach, for the fuzz targets in `tests/fuzz`. Each function takes any input and panics if a
//! property that must always hold does not.

use std::net::{IpAddr, SocketAddr};

use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, header::FORWARDED};
use rollcall_protocol::{ErrorCode, server::ServerEvent};
use rollcall_sockets::engineio;
use serde_json::value::RawValue;

use crate::{
    listener::address::{ForwardedHeader, TrustedProxies, to_network},
    telemetry::trace::{self, Activity, ClientTrace},
    transport::{socketio, websocket},
};

/// A text frame of a WebSocket. The answer is JSON, whatever the frame.
pub fn websocket_frame(text: &str) {
    let id = match websocket::message::Incoming::parse(text) {
        Ok(incoming) => {
            assert!(
                incoming.data.is_none_or(|data| text.contains(data.get())),
                "a payload is passed on as it is"
            );
            incoming.id.map(ToOwned::to_owned)
        }
        Err(unreadable) => {
            assert_eq!(unreadable.refusal.code, ErrorCode::Malformed);
            is_json(&websocket::message::emitted(ServerEvent::Error, &unreadable.refusal));
            unreadable.id
        }
    };
    if let Some(id) = id {
        is_json(&websocket::message::ack(&id, RawValue::NULL));
    }
}

/// The body of a polling client's request: packets of Engine.IO.
pub fn engineio_payload(body: &str) {
    for (packet, text) in engineio::parse_payload(body).zip(body.split('\u{1e}')) {
        match packet {
            Ok(engineio::Packet::Text(message)) => {
                assert_eq!(engineio::EncodedText::concat(&[message]).as_str(), message);
                socketio_packet(message);
            }
            Ok(_) => assert!(!text.is_empty()),
            Err(engineio::InvalidPacket) => {}
        }
    }
}

/// A text packet of Socket.IO, and the event in it. The answer is JSON behind a packet head, whatever the packet.
pub fn socketio_packet(text: &str) {
    let Some(packet) = socketio::packet::Packet::parse(text) else { return };
    assert!(text.contains(packet.namespace) || packet.namespace == "/");
    assert!(text.ends_with(packet.data), "a payload is passed on as it is");
    if packet.kind == socketio::packet::Kind::Event {
        let outcome = socketio::packet::parse_event(packet.data);
        assert!(outcome.as_ref().err().is_none_or(|refusal| refusal.code == ErrorCode::Malformed));
        let namespace = socketio::packet::Namespace::new("/study");
        if let Some(id) = packet.id {
            assert_eq!(namespace.ack(id, RawValue::NULL).as_str(), format!("3/study,{id}[null]"));
        }
    }
    let refused = socketio::packet::invalid_namespace(packet.namespace);
    let json = refused.as_str().find('{').map(|start| &refused.as_str()[start..]);
    // A namespace may hold a brace of its own.
    assert!(json.is_some_and(|json| json.ends_with(r#"{"message":"Invalid namespace"}"#)));
}

/// The headers in which proxies pass on a client's address. Without trusted proxies, the headers do not count.
pub fn forwarded(lines: &[Vec<u8>], count: u8, is_standard: bool) {
    let peer = SocketAddr::from(([10, 0, 0, 1], 80));
    let (header, name) = if is_standard {
        (ForwardedHeader::Forwarded, FORWARDED)
    } else {
        (ForwardedHeader::XForwardedFor, HeaderName::from_static("x-forwarded-for"))
    };
    let mut headers = HeaderMap::new();
    for value in lines.iter().filter_map(|line| HeaderValue::from_bytes(line).ok()) {
        headers.append(name.clone(), value);
    }
    let client = |count: usize| TrustedProxies { count, header }.client_address(&headers, peer);
    assert_eq!(client(0), peer.ip());
    let found = client(count.into());
    assert_eq!(to_network(to_network(found)), to_network(found));
    assert!(
        !matches!(found, IpAddr::V6(address) if address.to_ipv4_mapped().is_some()),
        "one client, two names"
    );
    // Entries that a client puts before the entry of a trusted proxy change nothing.
    let mut more = HeaderMap::new();
    more.append(name.clone(), HeaderValue::from_static("6.6.6.6, for=6.6.6.6"));
    for value in headers.get_all(&name) {
        more.append(name.clone(), value.clone());
    }
    let entries: usize =
        headers.get_all(&name).iter().map(|line| line.as_bytes().split(|&byte| byte == b',').count()).sum();
    if usize::from(count) <= entries {
        assert_eq!(TrustedProxies { count: count.into(), header }.client_address(&more, peer), found);
    }
}

/// The headers in which a client names its trace. The headers for the app have the one form that the specification
/// allows.
pub fn trace(parent: &[u8], state: &[u8]) {
    let mut headers = HeaderMap::new();
    for (name, value) in [("traceparent", parent), ("tracestate", state)] {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.insert(name, value);
        }
    }
    let mut sent = HeaderMap::new();
    let hand_on = async { trace::inject(&mut sent) };
    let _ = ClientTrace::from_headers(&headers).in_span(Activity::Connect, hand_on).now_or_never();
    let Some(sent_on) = sent.get("traceparent") else {
        assert!(sent.is_empty(), "no state without a trace");
        return;
    };
    let parts: Vec<&str> = sent_on.to_str().expect("ASCII").split('-').collect();
    assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [2, 32, 16, 2]);
    assert!(parts.iter().all(|part| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))));
    let number = |text: &str| u128::from_str_radix(text, 16).ok();
    let own = std::str::from_utf8(parent).ok().and_then(|parent| number(parent.split('-').nth(1)?));
    assert_eq!(number(parts[1]), own, "the client's own");
    assert!(sent.get("tracestate").is_none_or(|state| state.len() <= 512));
}

fn is_json(text: &str) {
    let _: &RawValue = serde_json::from_str(text).expect("what is sent is JSON");
}

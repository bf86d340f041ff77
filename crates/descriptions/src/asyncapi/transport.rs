//! The messages and operations of one transport. An operation is named from the side of the bridge: it receives what
//! clients send.

use rollcall_protocol::version::VERSION;
use serde_json::{Map, Value, json};

use super::events::{Events, Received, Sent};

/// A transport, and how it carries events.
pub(super) struct Transport {
    /// The name of the server and of the channel.
    pub(super) name: &'static str,
    address: &'static str,
    description: &'static str,
    /// Whether events and acks are wrapped in frames, because the transport does not know events.
    has_frames: bool,
}

pub(super) const SOCKET_IO: Transport = Transport {
    name: "socketIo",
    address: "/study",
    description: "The namespace of Socket.IO (configurable). The payload of a message is the argument of the event of its \
        name, and each event that a client sends accepts an ack. The server requests no acks. A refused handshake causes \
        `connect_error`: its message is the code, and its `data` is `{code, message}`. Before the bridge closes a socket, \
        it sends the reason as the event `error`.",
    has_frames: false,
};

pub(super) const WEB_SOCKET: Transport = Transport {
    name: "webSocket",
    address: "/ws",
    description: "A plain WebSocket. Each message is one text frame. A client that wants an ack gives its frame an `id`. A \
        client offers the sub-protocol `rollcall.v1`, and a page also `bearer.<token>`. The bridge refuses a token after \
        the upgrade, with one of the close codes in `x-close-codes`.",
    has_frames: true,
};

impl Transport {
    /// The channel with all messages.
    pub(super) fn channel(&self, events: &Events) -> Value {
        let sent = events.sent.iter().flat_map(|event| {
            [
                (client_key(event.name), self.sent(event, events)),
                (ack_key(event.name), self.ack(event, events)),
            ]
        });
        let received =
            events.received.iter().map(|event| (server_key(event.name), self.received(event, events)));
        let mut messages: Map<String, Value> = sent.chain(received).collect();
        if !self.has_frames {
            messages.extend(handshake_messages());
        }
        json!({
            "address": self.address,
            "description": self.description,
            "servers": [{ "$ref": format!("#/servers/{}", self.name) }],
            "messages": messages,
            "bindings": { "ws": { "method": "GET", "bindingVersion": "0.1.0" } },
        })
    }

    /// The operations by name.
    pub(super) fn operations(&self, events: &Events) -> Map<String, Value> {
        let receive = events.sent.iter().map(|event| {
            let mut operation = self.operation("receive", &client_key(event.name), &event.description);
            operation["reply"] =
                json!({ "channel": self.reference(), "messages": [self.message(&ack_key(event.name))] });
            (format!("{}.{}", self.name, client_key(event.name)), operation)
        });
        let send = events.received.iter().map(|event| {
            let operation = self.operation("send", &server_key(event.name), event.description);
            (format!("{}.{}", self.name, server_key(event.name)), operation)
        });
        let connect = (!self.has_frames).then(|| {
            let mut operation = self.operation("receive", CONNECT, "Connect to the namespace.");
            operation["reply"] =
                json!({ "channel": self.reference(), "messages": [self.message(CONNECT_ERROR)] });
            (format!("{}.{CONNECT}", self.name), operation)
        });
        receive.chain(send).chain(connect).collect()
    }

    fn operation(&self, action: &str, key: &str, description: &str) -> Value {
        json!({
            "action": action,
            "channel": self.reference(),
            "summary": description,
            "messages": [self.message(key)],
        })
    }

    fn reference(&self) -> Value {
        json!({ "$ref": format!("#/channels/{}", self.name) })
    }

    fn message(&self, key: &str) -> Value {
        json!({ "$ref": format!("#/channels/{}/messages/{key}", self.name) })
    }

    fn sent(&self, event: &Sent, events: &Events) -> Value {
        let example = events.example("sent", event.name);
        let mut message = message(event.name, &event.description);
        if self.has_frames {
            message["correlationId"] = json!({ "location": "$message.payload#/id" });
            message["payload"] = json!({
                "type": "object",
                "required": ["event"],
                "properties": { "id": frame_id(), "event": { "const": event.name }, "data": reference(&event.payload) },
            });
            message["examples"] = json!([{ "payload": { "id": 1, "event": event.name, "data": example } }]);
        } else {
            message["payload"] = reference(&event.payload);
            message["examples"] = json!([{ "payload": example }]);
        }
        message
    }

    fn ack(&self, event: &Sent, events: &Events) -> Value {
        let success = json!({
            "type": "object",
            "description": "Success.",
            "required": ["success", "data"],
            "properties": { "success": { "const": true }, "data": reference(&event.ack) },
        });
        let ack = json!({ "oneOf": [success, reference("Refused")] });
        let example = json!({ "success": true, "data": events.example("acks", event.name) });
        let mut message = message(event.name, &format!("The ack of `{}`.", event.name));
        if self.has_frames {
            message["correlationId"] = json!({ "location": "$message.payload#/ack" });
            message["payload"] = json!({
                "type": "object",
                "required": ["ack", "data"],
                "properties": { "ack": frame_id(), "data": ack },
            });
            message["examples"] = json!([{ "payload": { "ack": 1, "data": example } }]);
        } else {
            message["payload"] = ack;
            message["examples"] = json!([{ "payload": example }]);
        }
        message
    }

    fn received(&self, event: &Received, events: &Events) -> Value {
        let example = events.example("received", event.name);
        let mut message = message(event.name, event.description);
        if self.has_frames {
            message["payload"] = json!({
                "type": "object",
                "required": ["event", "data"],
                "properties": { "event": { "const": event.name }, "data": reference(&event.payload) },
            });
            message["examples"] = json!([{ "payload": { "event": event.name, "data": example } }]);
        } else {
            message["payload"] = reference(&event.payload);
            message["examples"] = json!([{ "payload": example }]);
        }
        message
    }
}

fn message(event: &str, description: &str) -> Value {
    json!({ "name": event, "summary": description })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn frame_id() -> Value {
    json!({
        "type": ["number", "string"],
        "maxLength": 126,
        "description": "Chosen by the client; the ack has the same.",
    })
}

const CONNECT: &str = "connect";
const CONNECT_ERROR: &str = "connect_error";

fn handshake_messages() -> Map<String, Value> {
    let mut connect = message(CONNECT, "The CONNECT packet with the `auth` of the client.");
    connect["payload"] = reference("Handshake");
    connect["examples"] = json!([{ "payload": { "token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3IiwiZXhwIjoxfQ.c2lnbmF0dXJl", "version": VERSION } }]);
    let mut refused = message(CONNECT_ERROR, "The CONNECT_ERROR packet of a refused handshake.");
    refused["payload"] = json!({
        "type": "object",
        "required": ["message", "data"],
        "properties": { "message": reference("ErrorCode"), "data": reference("Refusal") },
    });
    refused["examples"] = json!([{ "payload": {
        "message": "TOKEN_EXPIRED",
        "data": { "code": "TOKEN_EXPIRED", "message": "The token has expired; fetch a new one." },
    } }]);
    [(CONNECT.to_owned(), connect), (CONNECT_ERROR.to_owned(), refused)].into_iter().collect()
}

/// `client.room.join` of `room:join`.
fn client_key(event: &str) -> String {
    format!("client.{}", event.replace(':', "."))
}

fn ack_key(event: &str) -> String {
    format!("{}.ack", client_key(event))
}

fn server_key(event: &str) -> String {
    format!("server.{}", event.replace(':', "."))
}

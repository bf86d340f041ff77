//! Describes events and acks as an AsyncAPI 3.0 document. The bridge serves the document.
//!
//! | module | what it describes |
//! |---|---|
//! | [`events`] | the events by name, from the tables of the protocol, with their schemas and examples |
//! | [`absent`] | which fields may be `null` |
//! | [`transport`] | the messages and operations of one transport |

mod absent;
pub(crate) mod events;
mod transport;

use rollcall_protocol::{close::CLOSE_CODES, version::VERSION};
use serde_json::{Map, Value, json};

use self::{
    events::Events,
    transport::{SOCKET_IO, WEB_SOCKET},
};

/// Generates the document.
pub fn document() -> String {
    let mut text = serde_json::to_string_pretty(&build()).unwrap_or_default();
    text.push('\n');
    text
}

/// Builds the document.
pub(crate) fn build() -> Value {
    let events = Events::collect();
    let transports = [SOCKET_IO, WEB_SOCKET];
    let channels: Map<String, Value> =
        transports.iter().map(|transport| (transport.name.to_owned(), transport.channel(&events))).collect();
    let operations: Map<String, Value> =
        transports.iter().flat_map(|transport| transport.operations(&events)).collect();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Rollcall",
            "version": VERSION.to_string(),
            "description": "Live presence in study rooms, over Socket.IO and over WebSockets with the same events. \
                The version is that of the protocol: it rises only with changes that break clients. Clients ignore \
                fields and events that they do not know. Times are milliseconds since 1970 by the clock of Redis, \
                unless a name says otherwise.",
            "license": { "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0" },
        },
        "defaultContentType": "application/json",
        "servers": {
            "socketIo": {
                "host": "{host}",
                "pathname": "/socket.io/",
                "protocol": "socket.io",
                "protocolVersion": "5",
                "description": "Socket.IO v4 (Engine.IO 4), by WebSocket or long-polling.",
                "variables": { "host": HOST.json() },
                "security": [{ "$ref": "#/components/securitySchemes/token" }],
            },
            "webSocket": {
                "host": "{host}",
                "protocol": "wss",
                "description": "Plain WebSockets with messages in JSON.",
                "variables": { "host": HOST.json() },
                "security": [{ "$ref": "#/components/securitySchemes/token" }],
            },
        },
        "channels": channels,
        "operations": operations,
        "components": {
            "schemas": events.schemas,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A JWT of the user in the header `Authorization`. Browsers, which cannot set the \
                        header, send it over Socket.IO as `auth: { token }` and over the WebSocket as the sub-protocol \
                        `bearer.<token>`. Never put it into the URL.",
                },
            },
        },
        "x-close-codes": close_codes(),
    })
}

/// The variable in the addresses of servers.
struct Host {
    default: &'static str,
    description: &'static str,
}

const HOST: Host = Host {
    default: "127.0.0.1:8080",
    description: "Host and port of the bridge, or of what is in front of it.",
};

impl Host {
    fn json(&self) -> Value {
        json!({ "default": self.default, "description": self.description })
    }
}

fn close_codes() -> Value {
    CLOSE_CODES
        .iter()
        .map(|code| json!({ "code": code.code, "reason": code.reason, "description": code.meaning }))
        .collect()
}

//! Generates the types of events and acks in TypeScript, for clients.

mod types;

use std::fmt::Write as _;

use rollcall_protocol::version::VERSION;

use self::types::{comment, declaration};
use crate::asyncapi::events::Events;

const HEAD: &str =
    "// Generated from the types of crates/protocol by `cargo xtask describe`. Change the types there.\n";

/// Generates the module.
pub fn module() -> String {
    let events = Events::collect();
    let mut text =
        format!("{HEAD}\n{}", comment("The version of the protocol that these types describe.", ""));
    let _ = writeln!(text, "export const PROTOCOL_VERSION = {VERSION};");
    for (name, schema) in &events.schemas {
        let _ = write!(text, "\n{}", declaration(name, schema, &events.schemas));
    }
    text += &ack();
    text += &client_events(&events);
    text += &server_events(&events);
    text
}

fn ack() -> String {
    let comment = comment("The ack of an event.", "");
    format!("\n{comment}export type Ack<Data> = {{ success: true; data: Data }} | Refused;\n")
}

fn client_events(events: &Events) -> String {
    let mut text = format!(
        "\n{}export interface ClientEvents {{\n",
        comment("The events that clients send: the payload, and the data of the ack.", "")
    );
    for event in &events.sent {
        let _ = write!(text, "{}", comment(&event.description, "  "));
        let _ = writeln!(text, "  '{}': {{ payload: {}; ack: {} }};", event.name, event.payload, event.ack);
    }
    text + "}\n"
}

fn server_events(events: &Events) -> String {
    let mut text = format!(
        "\n{}export interface ServerEvents {{\n",
        comment("The events that clients get, and their payloads.", "")
    );
    for event in &events.received {
        let _ = write!(text, "{}", comment(event.description, "  "));
        let name = if event.name.contains(':') { format!("'{}'", event.name) } else { event.name.to_owned() };
        let _ = writeln!(text, "  {name}: {};", event.payload);
    }
    text + "}\n"
}

//! Events by name, from the tables of the protocol, with their schemas and examples.

use std::collections::BTreeMap;

use rollcall_protocol::{
    ErrorCode,
    client::{ClientEvent, Handshake},
    schema::Described,
    server::ServerEvent,
};
use serde_json::{Value, json};

use super::absent;

/// An event that clients send. Types are named as in `schemas`.
pub(crate) struct Sent {
    pub(crate) name: &'static str,
    pub(crate) description: String,
    pub(crate) payload: String,
    pub(crate) ack: String,
}

/// An event that clients get.
pub(crate) struct Received {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) payload: String,
}

/// All events.
pub(crate) struct Events {
    pub(crate) sent: Vec<Sent>,
    pub(crate) received: Vec<Received>,
    /// JSON Schemas by the names of types.
    pub(crate) schemas: Schemas,
    /// Payloads of `sent` and `received`, and data of `acks`, by event.
    examples: Value,
}

pub(crate) type Schemas = BTreeMap<String, Value>;

impl Events {
    /// Collects the events.
    pub(crate) fn collect() -> Self {
        let mut schemas = Schemas::new();
        let sent = ClientEvent::all().map(|event| Sent::of(event, &mut schemas)).collect();
        let received = ServerEvent::ALL.iter().map(|&event| Received::of(event, &mut schemas)).collect();
        schemas.insert("Refused".to_owned(), refused());
        add(Described::of::<Handshake>(), &mut schemas);
        absent::drop_null(&mut schemas);
        explain_codes(&mut schemas);
        let examples = serde_json::from_str(include_str!("examples.json")).unwrap_or_default();
        Self { sent, received, schemas, examples }
    }

    /// The example of `sent`, `acks` or `received`.
    pub(crate) fn example(&self, of: &str, event: &str) -> &Value {
        &self.examples[of][event]
    }
}

impl Sent {
    fn of(event: ClientEvent, schemas: &mut Schemas) -> Self {
        let described = event.describe();
        Self {
            name: event.as_str(),
            description: described.description,
            payload: add(described.payload, schemas),
            ack: add(described.ack, schemas),
        }
    }
}

impl Received {
    fn of(event: ServerEvent, schemas: &mut Schemas) -> Self {
        Self {
            name: event.as_str(),
            description: event.description(),
            payload: add(event.payload(), schemas),
        }
    }
}

fn add(described: Described, schemas: &mut Schemas) -> String {
    for (name, schema) in described.schemas {
        schemas.insert(name, serde_json::to_value(schema).unwrap_or_default());
    }
    described.name
}

/// The ack of an event that was refused.
fn refused() -> Value {
    json!({
        "description": "The ack of an event that was refused.",
        "allOf": [
            { "$ref": "#/components/schemas/Refusal" },
            {
                "type": "object",
                "required": ["success"],
                "properties": { "success": { "const": false, "description": "Whether the event had its effect." } },
            },
        ],
    })
}

fn explain_codes(schemas: &mut Schemas) {
    if let Some(codes) = schemas.get_mut("ErrorCode") {
        codes["x-enum-descriptions"] = ErrorCode::ALL
            .iter()
            .map(|code| (code.as_str().to_owned(), Value::from(code.message())))
            .collect();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Names in quotes that look like events: `'room:started'`. Comments have others.
    fn quoted_names(lua: &str) -> BTreeSet<&str> {
        let is_name = |text: &&str| {
            let Some((subject, what)) = text.split_once(':') else { return false };
            let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphabetic());
            is_word(subject) && is_word(what)
        };
        let code = lua.lines().filter_map(|line| line.split("--").next());
        code.flat_map(|line| line.split('\'').skip(1).step_by(2)).filter(is_name).collect()
    }

    fn scripts() -> String {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../rooms/src/scripts");
        let read = |folder: &str| -> String {
            let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            files
                .filter(|path| path.extension().is_some_and(|extension| extension == "lua"))
                .map(|path| std::fs::read_to_string(path).unwrap())
                .collect()
        };
        read(folder) + &read(&format!("{folder}/include"))
    }

    #[test]
    fn every_event_in_a_script_is_one_that_is_described() {
        let scripts = scripts();
        let names = quoted_names(&scripts);
        let described: BTreeSet<_> = ServerEvent::ALL.iter().map(|event| event.as_str()).collect();
        let undescribed: Vec<_> = names
            .iter()
            .filter(|name| !described.contains(*name) && ClientEvent::named(name).is_none())
            .collect();
        assert!(undescribed.is_empty(), "{undescribed:?}");
        // The bridge emits only events of the table, by their type.
        let bridges = [
            ServerEvent::State,
            ServerEvent::DocumentMissed,
            ServerEvent::LobbyChanged,
            ServerEvent::Expiring,
            ServerEvent::Draining,
            ServerEvent::Error,
        ]
        .map(ServerEvent::as_str);
        let unpublished: Vec<_> =
            described.difference(&names).filter(|name| !bridges.contains(*name)).collect();
        assert!(unpublished.is_empty(), "{unpublished:?}");
    }

    #[test]
    fn every_message_has_an_example() {
        let events = Events::collect();
        for event in &events.sent {
            assert!(events.example("sent", event.name).is_object(), "payload of {}", event.name);
            assert!(events.example("acks", event.name).is_object(), "ack of {}", event.name);
        }
        for event in &events.received {
            assert!(events.example("received", event.name).is_object(), "{}", event.name);
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let events = Events::collect();
        let text = serde_json::to_string(&events.schemas).unwrap();
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let (name, _) = reference.split_once('"').unwrap();
            assert!(events.schemas.contains_key(name), "{name}");
        }
    }

    /// The longest Base64 of so many bytes.
    fn base64_chars(bytes: usize) -> usize {
        bytes.div_ceil(3) * 4
    }

    #[test]
    fn limits_in_schemas_are_those_of_the_code() {
        use rollcall_protocol::{chat, code, document, id, lobby, status, timer};
        let schemas = Events::collect().schemas;
        for (pointer, limit) in [
            ("/ChatSend/allOf/1/properties/text/maxLength", chat::MAX_MESSAGE_CHARS),
            ("/ChatMute/allOf/1/properties/forMs/maximum", chat::MAX_PAUSE_MS as usize),
            ("/ChatSlow/allOf/1/properties/intervalMs/maximum", chat::MAX_PAUSE_MS as usize),
            ("/HistoryRequest/properties/limit/maximum", chat::MAX_HISTORY as usize),
            ("/CodeShare/allOf/1/properties/text/maxLength", code::MAX_TEXT_BYTES),
            ("/SnippetUpdate/properties/text/maxLength", code::MAX_TEXT_BYTES),
            ("/SnippetUpdate/properties/title/maxLength", code::MAX_TITLE_CHARS),
            ("/SnippetUpdate/properties/language/maxLength", code::MAX_LANGUAGE_BYTES),
            ("/DocumentUpdate/allOf/1/properties/update/maxLength", base64_chars(document::MAX_UPDATE_BYTES)),
            (
                "/DocumentAwareness/allOf/1/properties/update/maxLength",
                base64_chars(document::MAX_AWARENESS_BYTES),
            ),
            ("/CommandPayload/properties/id/maxLength", id::MAX_ID_BYTES),
            ("/WatchRequest/properties/ids/maxItems", lobby::MAX_ROOMS),
            ("/StatusUpdate/properties/goal/maxLength", status::MAX_GOAL_CHARS),
            ("/TimerPlan/oneOf/0/properties/cycles/maximum", timer::MAX_CYCLES as usize),
            ("/TimerPlan/oneOf/1/properties/durationMs/minimum", timer::MIN_PHASE_MS as usize),
            ("/TimerPlan/oneOf/1/properties/durationMs/maximum", timer::MAX_PHASE_MS as usize),
        ] {
            let schemas = serde_json::to_value(&schemas).unwrap();
            assert_eq!(schemas.pointer(pointer), Some(&json!(limit)), "{pointer}");
        }
    }
}

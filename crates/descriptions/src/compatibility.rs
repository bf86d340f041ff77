//! Compares the description of events with that of the last release: what breaks clients needs a new version of the
//! protocol.
//!
//! Clients ignore what they do not know, so whatever is new is no change for them, unless they have to send it.

mod schema;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use self::schema::{Comparison, Direction};

/// The description of the last release. `cargo xtask describe --release` writes it.
pub const RELEASED: &str = "crates/descriptions/released.json";

/// Compares the description with that of the last release.
///
/// # Errors
///
/// Says what breaks clients, if the version has not risen.
pub fn check(released: &Value, current: &Value) -> Result<(), String> {
    let version = |document: &Value| {
        let version = document["info"]["version"].as_str().and_then(|version| version.parse::<u32>().ok());
        version.ok_or("info.version is no number")
    };
    let (released_version, version) = (version(released)?, version(current)?);
    let breaking = find_breaking(released, current);
    if version < released_version {
        return Err(format!("the version has fallen from {released_version} to {version}"));
    }
    if version > released_version || breaking.is_empty() {
        return Ok(());
    }
    let list: Vec<_> = breaking.into_iter().collect();
    Err(format!(
        "clients of version {version} of the protocol would break, see docs/protocol.md, \"Versions\":\n{}",
        list.join("\n")
    ))
}

/// What breaks clients, in words.
fn find_breaking(released: &Value, current: &Value) -> BTreeSet<String> {
    let mut breaking = BTreeSet::new();
    let mut comparison = Comparison { released, current, breaking: &mut breaking };
    for (name, channel) in entries(&released["channels"]) {
        let now = &current["channels"][name];
        if channel["address"] != now["address"] {
            comparison.add(name, "the address has changed");
        }
        for (key, message) in entries(&channel["messages"]) {
            let now = &now["messages"][key];
            let path = format!("{name} {key}");
            if now.is_null() {
                comparison.add(&path, "is gone");
                continue;
            }
            comparison.compare(&path, &message["payload"], &now["payload"], direction(key));
        }
    }
    breaking
}

/// Acks go to clients, like events of the server.
fn direction(key: &str) -> Direction {
    let is_sent = key == "connect" || key.starts_with("client.") && !key.ends_with(".ack");
    if is_sent { Direction::Sent } else { Direction::Received }
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A small document: the payload of an event that clients send, and of one that they get.
    fn document(version: &str, sent: &Value, received: &Value) -> Value {
        json!({
            "info": { "version": version },
            "channels": { "socketIo": { "address": "/study", "messages": {
                "client.room.join": { "payload": sent },
                "client.room.join.ack": { "payload": { "type": "object" } },
                "server.room.started": { "payload": received },
            } } },
            "components": { "schemas": {
                "Base": { "type": "object", "required": ["seq"], "properties": { "seq": { "type": "integer" } } },
                "Plan": { "oneOf": [
                    { "type": "object", "properties": { "mode": { "enum": ["stopwatch"] } } },
                    { "type": "object", "properties": { "mode": { "enum": ["countdown"] }, "ms": { "type": "integer" } } },
                ] },
            } },
        })
    }

    /// How clients take a change of a payload that they send, and of one that they get.
    fn breaks(before: &Value, after: &Value) -> (bool, bool) {
        let same = json!({ "type": "object" });
        let change = |sent: [&Value; 2], received: [&Value; 2]| {
            check(&document("1", sent[0], received[0]), &document("1", sent[1], received[1])).is_err()
        };
        (change([before, after], [&same, &same]), change([&same, &same], [before, after]))
    }

    #[test]
    fn each_kind_of_change_breaks_those_whom_it_concerns() {
        let object = |properties: Value, required: Value| json!({ "type": "object", "properties": properties, "required": required });
        let field = |schema: Value| object(json!({ "a": schema }), json!([]));
        let text = || json!({ "type": "string" });
        let limited = |name: &str, limit: u64| field(json!({ "type": "string", name: limit }));
        let (empty, optional) = (object(json!({}), json!([])), field(text()));
        let required = object(json!({ "a": text() }), json!(["a"]));
        let choice = |values: Value| field(json!({ "type": "string", "enum": values }));
        let list = |item: Value| field(json!({ "type": "array", "items": item }));
        let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
        let variant = |mode: &str| json!({ "type": "object", "properties": { "mode": { "enum": [mode] } } });
        for (change, before, after, breaks_sent, breaks_received) in [
            ("a new optional field", &empty, &optional, false, false),
            ("a new required field", &empty, &required, true, false),
            ("a field is gone", &optional, &empty, true, true),
            ("a field becomes required", &optional, &required, true, false),
            ("a field becomes optional", &required, &optional, false, true),
            ("another type", &optional, &field(json!({ "type": "integer" })), true, true),
            ("one more type", &optional, &field(json!({ "type": ["string", "integer"] })), false, true),
            ("one type less", &field(json!({ "type": ["string", "null"] })), &optional, true, false),
            ("one more value", &choice(json!(["x"])), &choice(json!(["x", "y"])), false, false),
            ("one value less", &choice(json!(["x", "y"])), &choice(json!(["x"])), true, true),
            ("only certain values", &optional, &choice(json!(["x"])), true, false),
            ("any value", &choice(json!(["x"])), &optional, false, true),
            ("a higher limit", &limited("maxLength", 5), &limited("maxLength", 6), false, false),
            ("a lower limit", &limited("maxLength", 6), &limited("maxLength", 5), true, false),
            ("a new limit", &optional, &limited("maxLength", 5), true, false),
            ("no limit", &limited("minLength", 5), &optional, false, false),
            ("a higher minimum", &limited("minLength", 1), &limited("minLength", 2), true, false),
            ("a pattern", &optional, &field(json!({ "type": "string", "pattern": "x" })), true, false),
            ("items", &list(text()), &list(json!({ "type": "integer" })), true, true),
            (
                "a base with the same field",
                &object(json!({ "seq": { "type": "integer" } }), json!(["seq"])),
                &json!({ "allOf": [reference("Base")] }),
                false,
                false,
            ),
            ("no base", &json!({ "allOf": [reference("Base"), optional] }), &optional, true, true),
            (
                "one variant more",
                &json!({ "oneOf": [variant("stopwatch")] }),
                &reference("Plan"),
                false,
                false,
            ),
            ("one variant less", &reference("Plan"), &json!({ "oneOf": [variant("stopwatch")] }), true, true),
            (
                "a field of a variant is gone",
                &reference("Plan"),
                &json!({ "oneOf": [variant("countdown"), variant("stopwatch")] }),
                true,
                true,
            ),
            (
                "no further fields",
                &optional,
                &json!({ "type": "object", "properties": { "a": text() }, "additionalProperties": false }),
                true,
                false,
            ),
            ("other words", &optional, &field(json!({ "type": "string", "description": "x" })), false, false),
        ] {
            assert_eq!(breaks(before, after), (breaks_sent, breaks_received), "{change}");
        }
    }

    #[test]
    fn an_event_that_is_gone_breaks_clients_and_a_new_one_does_not() {
        let empty = json!({ "type": "object" });
        let with = document("1", &empty, &empty);
        for event in ["client.room.join", "client.room.join.ack", "server.room.started"] {
            let mut without = with.clone();
            without["channels"]["socketIo"]["messages"].as_object_mut().unwrap().remove(event);
            assert!(check(&with, &without).unwrap_err().contains(&format!("socketIo {event}: is gone")));
            assert_eq!(check(&without, &with), Ok(()));
        }
        let mut elsewhere = with.clone();
        elsewhere["channels"]["socketIo"]["address"] = json!("/other");
        assert!(check(&with, &elsewhere).is_err());
    }

    #[test]
    fn what_breaks_clients_needs_a_higher_version() {
        let (old, new) = (json!({ "type": "string" }), json!({ "type": "integer" }));
        assert!(check(&document("1", &old, &old), &document("1", &new, &old)).is_err());
        assert_eq!(check(&document("1", &old, &old), &document("2", &new, &old)), Ok(()));
        assert!(check(&document("2", &old, &old), &document("1", &old, &old)).is_err());
    }

    #[test]
    fn clients_of_the_last_release_do_not_break() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(RELEASED);
        let released: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        check(&released, &crate::asyncapi::build()).unwrap();
    }
}

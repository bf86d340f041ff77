//! Which fields may be `null`. `utoipa` says so of every `Option`, while Rollcall leaves out what it does not say.

use serde_json::Value;

use super::events::Schemas;

/// The types whose fields may be `null`, which removes what was there.
const NULL_REMOVES: [&str; 2] = ["SnippetUpdate", "StatusUpdate"];

/// Drops `null` from the types of optional properties that may only be absent.
pub(super) fn drop_null(schemas: &mut Schemas) {
    schemas
        .iter_mut()
        .filter(|(name, _)| !NULL_REMOVES.contains(&name.as_str()))
        .for_each(|(_, schema)| drop_in(schema));
}

fn drop_in(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            let required: Vec<String> = fields
                .get("required")
                .and_then(|names| names.as_array())
                .map(|names| names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect())
                .unwrap_or_default();
            if let Some(Value::Object(properties)) = fields.get_mut("properties") {
                for (name, property) in properties.iter_mut() {
                    if !required.contains(name) {
                        make_absent(property);
                    }
                }
            }
            fields.values_mut().for_each(drop_in);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_in),
        _ => {}
    }
}

/// Of the schemas of `utoipa`: `type: [T, null]`, and `oneOf: [null, T]`.
fn make_absent(property: &mut Value) {
    let Value::Object(fields) = property else { return };
    if let Some(Value::Array(types)) = fields.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            fields.insert("type".to_owned(), only);
        }
        return;
    }
    let Some(Value::Array(choices)) = fields.get_mut("oneOf") else { return };
    choices.retain(|choice| choice["type"] != "null");
    if let [Value::Object(only)] = choices.as_slice() {
        let only = only.clone();
        fields.remove("oneOf");
        let description = fields.remove("description");
        fields.extend(only);
        fields.extend(description.map(|text| ("description".to_owned(), text)));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_optional_field_is_absent_and_not_null() {
        let mut schema = json!({
            "required": ["b"],
            "properties": {
                "a": { "type": ["string", "null"] },
                "b": { "type": ["string", "null"] },
                "c": { "oneOf": [{ "type": "null" }, { "$ref": "#/x", "description": "X" }], "description": "C" },
            },
        });
        drop_in(&mut schema);
        assert_eq!(schema["properties"]["a"], json!({ "type": "string" }));
        assert_eq!(schema["properties"]["b"], json!({ "type": ["string", "null"] }));
        assert_eq!(schema["properties"]["c"], json!({ "$ref": "#/x", "description": "C" }));
    }
}

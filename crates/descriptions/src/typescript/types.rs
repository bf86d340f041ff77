//! Writes a JSON Schema as a type. Reads what `utoipa` generates, and refuses nothing: what it does not know is `unknown`.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::asyncapi::events::Schemas;

/// The widest line, as in the other files of the clients.
const WIDTH: usize = 120;

/// Declares a type: an interface where the language allows one.
pub(super) fn declaration(name: &str, schema: &Value, schemas: &Schemas) -> String {
    let comment = schema["description"].as_str().map(|text| comment(text, "")).unwrap_or_default();
    if let Some(parts) = schema["allOf"].as_array()
        && let Some(interface) = extended_interface(name, parts, schemas)
    {
        return comment + &interface;
    }
    if let Some(intersection) = schema["allOf"].as_array().and_then(|parts| intersection(parts)) {
        return format!("{comment}export type {name} = {intersection};\n");
    }
    if schema["properties"].is_object() {
        return format!("{comment}export interface {name} {}\n", object(schema, ""));
    }
    if let (Some(values), Some(meanings)) =
        (schema["enum"].as_array(), schema["x-enum-descriptions"].as_object())
    {
        return format!("{comment}export type {name} ={};\n", explained_union(values, meanings));
    }
    format!("{comment}export type {name} ={};\n", wide(&format!("export type {name} ="), schema))
}

/// An interface that extends others, which must be no unions, if only one part has fields of its own.
fn extended_interface(name: &str, parts: &[Value], schemas: &Schemas) -> Option<String> {
    let (bases, mut own): (Vec<_>, Vec<_>) = parts.iter().partition(|part| part["$ref"].is_string());
    let is_object = |part: &Value| part["type"] == "object";
    own.retain(|part| !is_object(part) || part["properties"].is_object());
    let body = match own.as_slice() {
        [] => "{}".to_owned(),
        [own] if is_object(own) => object(own, ""),
        _ => return None,
    };
    let bases: Vec<_> = bases.into_iter().map(inline).collect();
    if bases.iter().any(|base| schemas.get(base).is_some_and(|schema| schema["oneOf"].is_array())) {
        return None;
    }
    match (bases.as_slice(), own.is_empty()) {
        ([], _) => Some(format!("export interface {name} {body}\n")),
        ([base], true) => Some(format!("export type {name} = {base};\n")),
        (_, true) => None,
        _ => Some(format!("export interface {name} extends {} {body}\n", bases.join(", "))),
    }
}

/// Several types and fields of its own, in the form that Biome gives them.
fn intersection(parts: &[Value]) -> Option<String> {
    let (own, bases) = parts.split_last()?;
    let (last, others) = bases.split_last()?;
    if own["type"] != "object" || others.is_empty() {
        return None;
    }
    let others: Vec<_> = others.iter().map(inline).collect();
    Some(format!("{} &\n  {} & {}", others.join(" & "), inline(last), object(own, "  ")))
}

/// The type after a name, on lines of its own where it would be too wide for one.
fn wide(before: &str, schema: &Value) -> String {
    let line = inline(schema);
    let choices = schema["oneOf"].as_array().or(schema["enum"].as_array());
    if before.len() + line.len() < WIDTH && !line.contains('\n') || choices.is_none() {
        return format!(" {line}");
    }
    choices.into_iter().flatten().fold(String::new(), |mut text, choice| {
        let choice = if choice.is_object() { typed(choice, "    ") } else { literal(choice) };
        let _ = write!(text, "\n  | {choice}");
        text
    })
}

fn explained_union(values: &[Value], meanings: &Map<String, Value>) -> String {
    values.iter().fold(String::new(), |mut text, value| {
        if let Some(meaning) = value.as_str().and_then(|value| meanings.get(value)?.as_str()) {
            let _ = write!(text, "\n{}", comment(meaning, "  ").trim_end());
        }
        let _ = write!(text, "\n  | {}", literal(value));
        text
    })
}

fn inline(schema: &Value) -> String {
    typed(schema, "")
}

/// The type of a schema. `indent`: that of the line in which it stands.
fn typed(schema: &Value, indent: &str) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return reference.rsplit('/').next().unwrap_or_default().to_owned();
    }
    if let Some(value) = schema.get("const") {
        return literal(value);
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(literal).collect::<Vec<_>>().join(" | ");
    }
    for (key, between) in [("allOf", " & "), ("oneOf", " | "), ("anyOf", " | ")] {
        if let Some(parts) = schema[key].as_array() {
            let part = |part: &Value| in_parentheses_if(key == "allOf", typed(part, indent));
            return parts.iter().map(part).collect::<Vec<_>>().join(between);
        }
    }
    match &schema["type"] {
        Value::Array(names) => {
            let mut types: Vec<_> = names.iter().map(|name| named(name, schema, indent)).collect();
            types.dedup();
            types.join(" | ")
        }
        name => named(name, schema, indent),
    }
}

fn named(name: &Value, schema: &Value, indent: &str) -> String {
    match name.as_str() {
        Some("string") => "string".to_owned(),
        Some("integer" | "number") => "number".to_owned(),
        Some("boolean") => "boolean".to_owned(),
        Some("null") => "null".to_owned(),
        Some("array") => format!("{}[]", in_parentheses_if(true, typed(&schema["items"], indent))),
        Some("object") => object(schema, indent),
        _ => "unknown".to_owned(),
    }
}

/// Parts of a union bind weaker than what stands beside them.
fn in_parentheses_if(binds: bool, text: String) -> String {
    if binds && text.contains(" | ") && !text.starts_with('{') { format!("({text})") } else { text }
}

fn object(schema: &Value, indent: &str) -> String {
    let Some(properties) = schema["properties"].as_object().filter(|properties| !properties.is_empty())
    else {
        return match &schema["additionalProperties"] {
            Value::Object(_) => format!("Record<string, {}>", inline(&schema["additionalProperties"])),
            _ => "Record<string, never>".to_owned(),
        };
    };
    let required: Vec<_> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let inner = format!("{indent}  ");
    let mut text = "{\n".to_owned();
    for (name, property) in properties {
        text += &description(property).map(|text| comment(text, &inner)).unwrap_or_default();
        let mark = if required.contains(&name.as_str()) { "" } else { "?" };
        let _ = writeln!(text, "{inner}{name}{mark}: {};", typed(property, &inner));
    }
    text + indent + "}"
}

/// `utoipa` describes the type inside of a union with `null`.
fn description(schema: &Value) -> Option<&str> {
    let inner = || schema["oneOf"].as_array()?.iter().find_map(|choice| choice["description"].as_str());
    schema["description"].as_str().or_else(inner)
}

fn literal(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| format!("'{text}'"))
}

/// A documentation comment, wrapped to the width of lines.
pub(super) fn comment(text: &str, indent: &str) -> String {
    let one_line = format!("{indent}/** {} */\n", text.replace('\n', " "));
    if one_line.len() <= WIDTH {
        return one_line;
    }
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().map_or(0, |line| line.len());
        if indent.len() + " * ".len() + line + word.len() >= WIDTH {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    let body: String = lines.iter().map(|line| format!("{indent} * {line}\n")).collect();
    format!("{indent}/**\n{body}{indent} */\n")
}

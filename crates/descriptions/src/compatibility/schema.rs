//! Compares two JSON Schemas, as far as the descriptions use them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Who sends a payload.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Clients: the server has to accept what it accepted before.
    Sent,
    /// The server: clients have to understand what they get.
    Received,
}

use Direction::{Received, Sent};

/// Limits that allow less if they rise, and limits that allow less if they fall.
const MINIMUMS: [&str; 3] = ["minimum", "minLength", "minItems"];
const MAXIMUMS: [&str; 3] = ["maximum", "maxLength", "maxItems"];

/// A comparison of two documents.
pub(super) struct Comparison<'a> {
    pub(super) released: &'a Value,
    pub(super) current: &'a Value,
    /// What breaks clients.
    pub(super) breaking: &'a mut BTreeSet<String>,
}

/// A schema without references and `allOf`.
#[derive(Default)]
struct Flat<'a> {
    /// The schemas that hold together, apart from those that only refer to others.
    parts: Vec<&'a Value>,
    properties: BTreeMap<&'a str, &'a Value>,
    required: BTreeSet<&'a str>,
    /// The variants by what identifies them.
    variants: BTreeMap<String, &'a Value>,
}

impl<'a> Flat<'a> {
    fn of(schema: &'a Value, document: &'a Value) -> Self {
        let mut flat = Self::default();
        flat.add(schema, document);
        flat
    }

    fn add(&mut self, schema: &'a Value, document: &'a Value) {
        if let Some(target) = resolve(schema, document) {
            return self.add(target, document);
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.add(part, document);
        }
        self.parts.push(schema);
        let properties = schema["properties"].as_object().into_iter().flatten();
        self.properties.extend(properties.map(|(name, property)| (name.as_str(), property)));
        self.required.extend(schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str));
        for (place, variant) in schema["oneOf"].as_array().into_iter().flatten().enumerate() {
            self.variants.insert(identify(variant, place, document), variant);
        }
    }

    fn keyword(&self, name: &str) -> Option<&'a Value> {
        self.parts.iter().find_map(|part| part.get(name))
    }

    fn types(&self) -> Option<BTreeSet<&'a str>> {
        let types = self.keyword("type")?;
        Some(types.as_array().map_or_else(
            || types.as_str().into_iter().collect(),
            |types| types.iter().filter_map(Value::as_str).collect(),
        ))
    }

    fn values(&self) -> Option<BTreeSet<String>> {
        let constant = self.keyword("const").map(|value| BTreeSet::from([value.to_string()]));
        constant.or_else(|| Some(self.keyword("enum")?.as_array()?.iter().map(Value::to_string).collect()))
    }
}

fn resolve<'a>(schema: &Value, document: &'a Value) -> Option<&'a Value> {
    document.pointer(schema["$ref"].as_str()?.strip_prefix('#')?)
}

/// A variant is the one with the same value in a field that has only one, else of the same type or name.
fn identify(variant: &Value, place: usize, document: &Value) -> String {
    let target = resolve(variant, document).unwrap_or(variant);
    for (name, property) in target["properties"].as_object().into_iter().flatten() {
        if let Some(values) = Flat::of(property, document).values()
            && values.len() == 1
        {
            return format!("{name} = {}", values.into_iter().collect::<String>());
        }
    }
    let name = variant["$ref"].as_str().or(variant["type"].as_str().filter(|name| *name != "object"));
    name.map_or_else(|| format!("variant {place}"), str::to_owned)
}

impl Comparison<'_> {
    pub(super) fn add(&mut self, path: &str, what: &str) {
        self.breaking.insert(format!("{path}: {what}"));
    }

    /// Compares the schemas of one value. `path` says which, for people.
    pub(super) fn compare(&mut self, path: &str, released: &Value, current: &Value, direction: Direction) {
        let before = Flat::of(released, self.released);
        let after = Flat::of(current, self.current);
        self.compare_types(path, &before, &after, direction);
        self.compare_values(path, &before, &after, direction);
        if direction == Sent {
            self.compare_limits(path, &before, &after);
        }
        self.compare_fields(path, &before, &after, direction);
        for (variant, schema) in &before.variants {
            match after.variants.get(variant) {
                Some(now) => self.compare(&format!("{path} ({variant})"), schema, now, direction),
                None => self.add(path, &format!("{variant} is gone")),
            }
        }
        for keyword in ["items", "additionalProperties"] {
            if let (Some(schema), Some(now)) = (before.keyword(keyword), after.keyword(keyword)) {
                self.compare(&format!("{path}[]"), schema, now, direction);
            }
        }
    }

    fn compare_types(&mut self, path: &str, before: &Flat<'_>, after: &Flat<'_>, direction: Direction) {
        let (Some(before), Some(after)) = (before.types(), after.types()) else { return };
        let is_safe = match direction {
            Sent => before.is_subset(&after),
            Received => after.is_subset(&before),
        };
        if !is_safe {
            self.add(path, &format!("the type was {before:?} and is {after:?}"));
        }
    }

    /// A value that is new is safe, because clients ignore what they do not know.
    fn compare_values(&mut self, path: &str, before: &Flat<'_>, after: &Flat<'_>, direction: Direction) {
        match (before.values(), after.values()) {
            (Some(before), Some(after)) => {
                for value in before.difference(&after) {
                    self.add(path, &format!("{value} is gone"));
                }
            }
            (None, Some(_)) if direction == Sent => self.add(path, "only certain values are accepted"),
            (Some(_), None) if direction == Received => self.add(path, "any value may come"),
            _ => {}
        }
    }

    fn compare_limits(&mut self, path: &str, before: &Flat<'_>, after: &Flat<'_>) {
        for (names, is_narrower) in
            [(MINIMUMS, (|a, b| b > a) as fn(f64, f64) -> bool), (MAXIMUMS, |a, b| b < a)]
        {
            for name in names {
                let limit = |flat: &Flat<'_>| flat.keyword(name).and_then(Value::as_f64);
                if let Some(now) = limit(after)
                    && limit(before).is_none_or(|limit| is_narrower(limit, now))
                {
                    self.add(path, &format!("{name} is {now} now"));
                }
            }
        }
        if after.keyword("pattern").is_some_and(|pattern| before.keyword("pattern") != Some(pattern)) {
            self.add(path, "the pattern is another");
        }
        let is_closed = |flat: &Flat<'_>| flat.keyword("additionalProperties") == Some(&Value::Bool(false));
        if is_closed(after) && !is_closed(before) {
            self.add(path, "further fields are refused");
        }
    }

    fn compare_fields(&mut self, path: &str, before: &Flat<'_>, after: &Flat<'_>, direction: Direction) {
        for (name, schema) in &before.properties {
            match after.properties.get(name) {
                Some(now) => self.compare(&format!("{path}.{name}"), schema, now, direction),
                None => self.add(path, &format!("{name} is gone")),
            }
        }
        match direction {
            Sent => {
                for name in after.required.difference(&before.required) {
                    self.add(path, &format!("{name} is required now"));
                }
            }
            Received => {
                for name in before.required.difference(&after.required) {
                    self.add(path, &format!("{name} may be absent now"));
                }
            }
        }
    }
}

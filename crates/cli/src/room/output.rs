//! What a command prints: the API's JSON for programs, or text for people.

use anyhow::Context;
use serde::de::DeserializeOwned;

pub(super) struct Output {
    pub(super) json: String,
    /// `--json` passes on even a response that this version cannot parse.
    pub(super) text: anyhow::Result<String>,
}

impl Output {
    pub(super) fn new(json: String, text: String) -> Self {
        Self { json, text: Ok(text) }
    }

    /// Parses the API's JSON, and formats it for people.
    pub(super) fn parse<T: DeserializeOwned>(json: String, format: impl FnOnce(T) -> String) -> Self {
        let text = parse(&json).map(format);
        Self { json, text }
    }
}

/// Parses a part of the API's JSON.
pub(super) fn parse<T: DeserializeOwned>(json: &str) -> anyhow::Result<T> {
    serde_json::from_str(json).context("the app's answer is not what this version of rollcall understands")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display;

    #[test]
    fn json_is_passed_on_even_if_it_cannot_be_parsed() {
        let output = Output::parse("{}".to_owned(), display::roster);
        assert!(output.text.is_err());
        assert_eq!(output.json, "{}");
    }
}

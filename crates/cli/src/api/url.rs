//! The URL of the app, and the paths below it.

use std::ffi::OsStr;

use clap::{Arg, Command, builder::TypedValueParser, error::ErrorKind};
use http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Dots are encoded too: a segment of only dots names another path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~');

/// Encodes one segment of a path, or one value of a query.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// Parses the URL at which an app is served. clap's own error would repeat the value, which may hold a password.
#[derive(Clone)]
pub(crate) struct BaseParser;

impl TypedValueParser for BaseParser {
    type Value = String;

    fn parse_ref(&self, command: &Command, flag: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        parse_base(&value.to_string_lossy()).map_err(|reason| {
            let flag = flag.map(ToString::to_string).unwrap_or_default();
            let message = format!("invalid value for '{flag}': {reason}\n");
            clap::Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
        })
    }
}

/// Parses the URL and removes a slash at its end.
fn parse_base(text: &str) -> Result<String, String> {
    let uri: Uri = text.parse().map_err(|error| format!("{error}"))?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    if is_http && uri.query().is_none() && !text.contains('#') {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err("it must be an http:// or https:// URL without a query".to_owned())
    }
}

/// Removes the user and the password from a URL.
pub(super) fn remove_credentials(base: &str) -> String {
    match base.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1))) {
        Some((scheme, rest)) => format!("{scheme}://{rest}"),
        None => base.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_id_is_encoded_as_one_segment() {
        for (id, segment) in [
            ("algebra-1_a~", "algebra-1_a~"),
            ("a/b c?d#e%", "a%2Fb%20c%3Fd%23e%25"),
            ("..", "%2E%2E"),
            ("é", "%C3%A9"),
        ] {
            assert_eq!(encode(id), segment);
            let decoded = percent_encoding::percent_decode_str(segment).decode_utf8().unwrap();
            assert_eq!(decoded, id);
        }
    }

    #[test]
    fn the_base_must_be_an_http_url() {
        assert_eq!(parse_base("https://app.example/x/").unwrap(), "https://app.example/x");
        for text in ["", "app.example", "ftp://app.example", "spin.toml", "http://app.example/?a"] {
            assert!(parse_base(text).is_err(), "{text}");
        }
    }

    #[test]
    fn credentials_are_removed() {
        assert_eq!(remove_credentials("https://kim:hunter2@app.example/x"), "https://app.example/x");
        assert_eq!(remove_credentials("https://app.example/x"), "https://app.example/x");
    }
}

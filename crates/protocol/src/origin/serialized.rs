//! Origins as the URL standard serializes them.

use url::Url;

/// An origin in its one serialized form: two spellings of the same origin are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SerializedOrigin {
    /// `null`, which browsers send for pages without an origin of their own, such as sandboxed frames and local files.
    Null,
    /// A scheme, a host and a port.
    Tuple {
        /// In lower case.
        scheme: String,
        /// In lower case and in ASCII (Punycode); empty for `file://`.
        host: String,
        /// `None` for the default port of the scheme.
        port: Option<u16>,
    },
}

impl SerializedOrigin {
    /// Parses an origin. Returns nothing if the text holds more or less than an origin.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text == "null" {
            return Some(Self::Null);
        }
        // The URL parser skips white space, and accepts a backslash for a slash.
        let is_foreign =
            |c: char| c.is_control() || c.is_whitespace() || matches!(c, '/' | '\\' | '?' | '#' | '@');
        let (scheme, authority) = text.split_once("://")?;
        if scheme.contains(is_foreign) || authority.contains(is_foreign) {
            return None;
        }
        if scheme.eq_ignore_ascii_case("file") {
            let is_whole = authority.is_empty();
            return is_whole.then(|| Self::Tuple { scheme: "file".into(), host: String::new(), port: None });
        }
        // The URL parser ends the scheme at the first colon, and needs no slashes after that of a web page.
        let url = Url::parse(text).ok().filter(|url| url.scheme().eq_ignore_ascii_case(scheme))?;
        // Apps and extensions have schemes whose hosts the URL parser leaves as they are.
        let host = url.host_str()?.to_lowercase();
        (!host.is_empty()).then(|| Self::Tuple { scheme: url.scheme().to_owned(), host, port: url.port() })
    }

    /// Whether a server can have this origin: all other schemes are those of apps, extensions and files.
    pub(super) fn is_of_server(&self) -> bool {
        matches!(self, Self::Tuple { scheme, .. } if is_server_scheme(scheme))
    }
}

/// Whether hosts of a scheme are names and addresses in a network.
pub(super) fn is_server_scheme(scheme: &str) -> bool {
    // Some clients send the scheme of their WebSocket.
    matches!(scheme, "http" | "https" | "ws" | "wss")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_origin_are_equal() {
        for (one, other) in [
            ("https://study.example", "HTTPS://Study.Example:443"),
            ("http://study.example", "http://study.example:80"),
            ("wss://study.example", "wss://study.example:443"),
            ("https://bücher.example", "https://XN--BCHER-KVA.example"),
            ("http://[::1]:8080", "http://[0:0:0:0:0:0:0:1]:8080"),
            ("http://127.0.0.1", "http://127.1:80"),
            ("chrome-extension://abcdef", "Chrome-Extension://ABCDEF"),
            ("file://", "FILE://"),
        ] {
            let parsed = SerializedOrigin::parse(one);
            assert!(parsed.is_some(), "{one}");
            assert_eq!(parsed, SerializedOrigin::parse(other), "{one} {other}");
        }
    }

    #[test]
    fn different_origins_are_not_equal() {
        for (one, other) in [
            ("https://study.example", "http://study.example"),
            ("https://study.example", "https://study.example:80"),
            ("https://study.example", "https://study.example."),
            ("https://study.example", "wss://study.example"),
            ("capacitor://localhost", "ionic://localhost"),
            ("app://a", "app://a:1"),
            ("null", "file://"),
        ] {
            let (one, other) = (SerializedOrigin::parse(one), SerializedOrigin::parse(other));
            assert!(one.is_some() && other.is_some() && one != other, "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_text_with_more_or_less_than_an_origin_is_none() {
        for text in [
            "",
            "NULL",
            "study.example",
            "https:study.example",
            "https:study://a.example",
            "https://",
            "https:///study.example",
            "https://study.example/",
            "https://study.example?",
            "https://study.example#",
            "https://user@study.example",
            "https://study.example\\",
            "https://study.example:99999",
            "https://a b.example",
            "https://a.example, https://b.example",
            "https://a.example https://b.example",
            "ht\ttps://study.example",
            "blob:https://study.example",
            "data://",
            "file:///etc/passwd",
            "file://host",
            "https://[::1",
        ] {
            assert_eq!(SerializedOrigin::parse(text), None, "{text:?}");
        }
    }
}

//! Origins and patterns in a list.

use super::serialized::{SerializedOrigin, is_server_scheme};

/// A listed origin or pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListedOrigin {
    /// One origin: `https://study.example`.
    Exact(SerializedOrigin),
    /// All origins with one more label: `https://*.preview.example.com`.
    OneLabel {
        /// `https`.
        scheme: String,
        /// The part after the label: `.preview.example.com`.
        domain: String,
        /// `None` for the default port of the scheme.
        port: Option<u16>,
    },
    /// All hosts of an app's or extension's scheme: `moz-extension://*`. Firefox gives an extension another host in each
    /// installation.
    AnyHost {
        /// `moz-extension`.
        scheme: String,
    },
}

/// A list of origins is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOrigin {
    /// No browser sends such an origin.
    #[error("no client can have the origin {text:?}: write {advice}")]
    Unmatchable {
        /// What the list holds.
        text: String,
        /// What the list should hold instead.
        advice: String,
    },
    /// The list holds more than the star.
    #[error("the origin \"*\" allows all: list nothing beside it")]
    BesideAny,
}

impl ListedOrigin {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidOrigin> {
        let parsed = match text.split_once("://") {
            Some((scheme, host)) if host.starts_with('*') => Self::parse_pattern(scheme, &host[1..]),
            _ if text.contains('*') => None,
            _ => SerializedOrigin::parse(text).map(Self::Exact),
        };
        parsed.ok_or_else(|| InvalidOrigin::Unmatchable { text: text.to_owned(), advice: advise(text) })
    }

    /// Parses a pattern whose host begins with a star.
    fn parse_pattern(scheme: &str, after_star: &str) -> Option<Self> {
        let domain = after_star.strip_prefix('.');
        let base = SerializedOrigin::parse(&format!("{scheme}://{}", domain.unwrap_or("any")))?;
        let SerializedOrigin::Tuple { scheme, host, port } = base else { return None };
        if after_star.is_empty() && !is_server_scheme(&scheme) {
            return Some(Self::AnyHost { scheme });
        }
        // `*.com` would admit the pages of every domain under `com`, and addresses have no labels.
        let is_domain = domain.is_some() && host.contains('.') && !host.contains('*');
        let is_address = host.parse::<std::net::Ipv4Addr>().is_ok();
        (is_domain && !is_address && is_server_scheme(&scheme)).then(|| Self::OneLabel {
            scheme,
            domain: format!(".{host}"),
            port,
        })
    }

    pub(super) fn covers(&self, origin: &SerializedOrigin) -> bool {
        match (self, origin) {
            (Self::Exact(listed), _) => listed == origin,
            (_, SerializedOrigin::Null) => false,
            (
                Self::OneLabel { scheme, domain, port },
                SerializedOrigin::Tuple { scheme: of, host, port: at },
            ) => scheme == of && port == at && host.strip_suffix(domain.as_str()).is_some_and(is_label),
            (Self::AnyHost { scheme }, SerializedOrigin::Tuple { scheme: of, .. }) => scheme == of,
        }
    }
}

fn is_label(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Says how to write an origin that is not valid.
fn advise(text: &str) -> String {
    const EXAMPLE: &str = "a scheme, a host and perhaps a port, as in https://study.example";
    let lower = text.to_ascii_lowercase();
    if text.contains('*') {
        return "a star only for the first label of a host with three or more, as in https://*.preview.example.com, \
                or for the host of an app's own scheme, as in moz-extension://*"
            .to_owned();
    }
    if lower.starts_with("file:") {
        return "file://, or null, which most browsers send for pages from files".to_owned();
    }
    if lower == "null" || ["data:", "blob:", "about:"].iter().any(|scheme| lower.starts_with(scheme)) {
        return "null, which browsers send for such pages".to_owned();
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        let with_scheme = format!("https://{}", text.trim_end_matches('/'));
        let is_origin = SerializedOrigin::parse(&with_scheme).is_some();
        return if is_origin { format!("the scheme, too, as in {with_scheme}") } else { EXAMPLE.to_owned() };
    };
    let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let bare = format!("{scheme}://{host}");
    if SerializedOrigin::parse(&bare).is_some() { bare } else { EXAMPLE.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_that_no_client_can_have_is_refused_with_how_to_write_it() {
        for (text, advice) in [
            ("a.example", "write the scheme, too, as in https://a.example"),
            ("localhost:3000/", "write the scheme, too, as in https://localhost:3000"),
            ("https://a.example/", "write https://a.example"),
            ("https://a.example/x", "write https://a.example"),
            ("https://a.example:8443?x", "write https://a.example:8443"),
            ("https://a.example#x", "write https://a.example"),
            ("https://u@a.example", "write https://a.example"),
            ("capacitor://localhost/", "write capacitor://localhost"),
            ("capacitor://", "write a scheme, a host and"),
            ("https://", "write a scheme, a host and"),
            ("https://a.example:99999", "write a scheme, a host and"),
            ("file:///index.html", "write file://"),
            ("NULL", "write null"),
            ("data:text/html,x", "write null"),
            ("https://*", "write a star only"),
            ("https://*.", "write a star only"),
            ("https://*.example", "write a star only"),
            ("https://*.a.example/", "write a star only"),
            ("https://*.*.a.example", "write a star only"),
            ("https://*.1.2.3.4", "write a star only"),
            ("https://*a.b.example", "write a star only"),
            ("https://a.*.example.com", "write a star only"),
            ("https://a*.example.com", "write a star only"),
            ("moz-extension://*.a.b", "write a star only"),
            ("*.a.example", "write a star only"),
            ("*://a.example", "write a star only"),
        ] {
            let error = ListedOrigin::parse(text).unwrap_err().to_string();
            assert!(error.contains(text) && error.contains(advice), "{error}");
        }
    }
}

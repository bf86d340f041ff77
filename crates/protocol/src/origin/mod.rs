//! Origins whose pages may use a bridge or the HTTP API. Browsers report the origin of a page truthfully; for other
//! clients, only tokens count.

mod listed;
mod serialized;

use http::{HeaderMap, HeaderValue, header};

pub use self::{
    listed::{InvalidOrigin, ListedOrigin},
    serialized::SerializedOrigin,
};

/// The origins whose pages may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginPolicy {
    /// These origins, and the host that a client connects to.
    Listed(Vec<ListedOrigin>),
    /// All origins.
    Any,
}

/// A request has more than one `Origin` header: no browser sends such a request, and each server on its way might
/// check another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeveralOrigins;

/// Returns the origin of a request, if it has one.
pub fn origin_of(headers: &HeaderMap) -> Result<Option<&HeaderValue>, SeveralOrigins> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let first = origins.next();
    if origins.next().is_some() { Err(SeveralOrigins) } else { Ok(first) }
}

impl OriginPolicy {
    /// Parses a list of origins, or `*` alone.
    pub fn parse<'a>(origins: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidOrigin> {
        let origins: Vec<&str> = origins.into_iter().map(str::trim).filter(|text| !text.is_empty()).collect();
        match origins.as_slice() {
            ["*"] => Ok(Self::Any),
            _ if origins.contains(&"*") => Err(InvalidOrigin::BesideAny),
            _ => origins.into_iter().map(ListedOrigin::parse).collect::<Result<_, _>>().map(Self::Listed),
        }
    }

    /// Whether a request with these headers may proceed. A request without an origin does not come from a page.
    pub fn admits(&self, headers: &HeaderMap) -> bool {
        origin_of(headers)
            .is_ok_and(|origin| origin.is_none_or(|origin| self.allows(origin, headers.get(header::HOST))))
    }

    /// Whether pages of an origin may use this host.
    pub fn allows(&self, origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
        let Self::Listed(listed) = self else { return true };
        let origin = std::str::from_utf8(origin.as_bytes()).ok().and_then(SerializedOrigin::parse);
        origin.is_some_and(|origin| {
            is_origin_of_host(&origin, host) || listed.iter().any(|listed| listed.covers(&origin))
        })
    }
}

/// Whether an origin is the host that a client connects to. The scheme does not count: only a proxy may know it.
fn is_origin_of_host(origin: &SerializedOrigin, host: Option<&HeaderValue>) -> bool {
    let (SerializedOrigin::Tuple { scheme, .. }, Some(host)) = (origin, host) else { return false };
    let host = std::str::from_utf8(host.as_bytes()).unwrap_or_default();
    origin.is_of_server() && SerializedOrigin::parse(&format!("{scheme}://{host}")).as_ref() == Some(origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(origins: &[&str]) -> OriginPolicy {
        OriginPolicy::parse(origins.iter().copied()).unwrap()
    }

    fn admits(policy: &OriginPolicy, origin: &str) -> bool {
        admits_to("study.example:8443", policy, origin)
    }

    fn admits_to(host: &str, policy: &OriginPolicy, origin: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        headers.insert(header::ORIGIN, HeaderValue::from_bytes(origin.as_bytes()).unwrap());
        policy.admits(&headers)
    }

    #[test]
    fn by_default_only_pages_of_the_same_host_are_admitted() {
        let policy = policy(&[]);
        assert!(admits(&policy, "https://study.example:8443"));
        for origin in [
            "https://study.example",
            "https://evil.example:8443",
            "https://study.example:8443.evil.example",
            "https://evil.example/study.example:8443",
            "study.example:8443",
            "null",
        ] {
            assert!(!admits(&policy, origin), "{origin}");
        }
    }

    #[test]
    fn listed_origins_match_exactly() {
        let policy = policy(&["https://a.example", " http://localhost:3000"]);
        assert!(admits(&policy, "https://a.example"));
        assert!(admits(&policy, "http://localhost:3000"));
        for origin in [
            "http://a.example",
            "https://a.example.evil",
            "https://b.a.example",
            "https://a.example:8443",
            "https://a.example/",
            "null",
        ] {
            assert!(!admits(&policy, origin), "{origin}");
        }
    }

    #[test]
    fn the_own_host_is_admitted_beside_the_list_in_every_spelling() {
        for policy in [policy(&[]), policy(&["https://a.example"])] {
            for (host, origin) in [
                ("study.example", "https://study.example"),
                ("study.example", "http://study.example"),
                ("study.example:443", "https://study.example"),
                ("study.example", "https://study.example:443"),
                ("Study.Example:80", "http://study.example"),
                ("study.example:443", "wss://study.example"),
                ("study.example:80", "ws://study.example"),
                ("xn--bcher-kva.example", "https://bücher.example"),
                ("[::1]:8080", "http://[0:0::1]:8080"),
                ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ] {
                assert!(admits_to(host, &policy, origin), "{host} {origin}");
            }
            for (host, origin) in [
                ("study.example:443", "http://study.example"),
                ("study.example:80", "https://study.example"),
                ("study.example", "https://study.example:8443"),
                ("localhost", "capacitor://localhost"),
                ("", "https://study.example"),
                ("", "file://"),
                ("null", "null"),
                ("x@study.example", "https://study.example"),
                ("study.example/", "https://study.example"),
            ] {
                assert!(!admits_to(host, &policy, origin), "{host} {origin}");
            }
        }
    }

    #[test]
    fn a_listed_origin_is_compared_as_urls_are() {
        let policy =
            policy(&["HTTPS://Bücher.example:443", "http://[0:0::1]:3000", "https://*.Straße.example:443"]);
        for origin in [
            "https://xn--bcher-kva.example",
            "https://xn--bcher-kva.example:443",
            "https://BÜCHER.example",
            "http://[::1]:3000",
            "https://a.xn--strae-oqa.example",
        ] {
            assert!(admits(&policy, origin), "{origin}");
        }
        assert!(!admits(&policy, "https://bucher.example"));
    }

    #[test]
    fn origins_of_apps_and_extensions_can_be_listed() {
        let listed = [
            "null",
            "file://",
            "capacitor://localhost",
            "ionic://localhost",
            "tauri://localhost",
            "http://tauri.localhost",
            "https://localhost",
            "app://.",
            "app://obsidian.md",
            "chrome-extension://mhjfbmdgcfjbbpaeojofohoefgiehjai",
            "safari-web-extension://0B9E9F3D-5D6C-4E5B-8C3A-1B2C3D4E5F60",
            "moz-extension://d3c2f9f0-7a0a-4d3e-9d0e-0a1b2c3d4e5f",
        ];
        for origin in listed {
            let policy = policy(&[origin]);
            assert!(admits(&policy, origin), "{origin}");
            for other in listed.iter().filter(|other| **other != origin) {
                assert!(!admits(&policy, other), "{origin} {other}");
            }
        }
        let policy = policy(&["moz-extension://*"]);
        assert!(admits(&policy, listed[11]));
        assert!(!admits(&policy, listed[9]) && !admits(&policy, "https://a.example"));
    }

    #[test]
    fn a_star_admits_all_and_stands_alone() {
        assert!(admits(&policy(&["*"]), "https://any.example"));
        assert_eq!(OriginPolicy::parse(["*", "https://a.example"]), Err(InvalidOrigin::BesideAny));
    }

    #[test]
    fn clients_that_are_not_pages_are_admitted() {
        assert!(policy(&["https://a.example"]).admits(&HeaderMap::new()));
    }

    #[test]
    fn a_request_with_two_origins_is_refused() {
        let mut headers = HeaderMap::new();
        headers.append(header::ORIGIN, "https://a.example".parse().unwrap());
        headers.append(header::ORIGIN, "https://a.example".parse().unwrap());
        assert!(!policy(&["https://a.example"]).admits(&headers));
        assert!(!policy(&["*"]).admits(&headers));
        assert_eq!(origin_of(&headers), Err(SeveralOrigins));
    }

    #[test]
    fn a_star_stands_for_exactly_one_label() {
        let policy = policy(&["https://*.preview.example.com", "https://*.x.example:8443"]);
        for origin in [
            "https://pr-7.preview.example.com",
            "https://PR-7.Preview.Example.com",
            "https://a.x.example:8443",
            "https://a_b.preview.example.com",
            "https://a.preview.example.com:443",
        ] {
            assert!(admits(&policy, origin), "{origin}");
        }
        for origin in [
            "https://preview.example.com",
            "https://.preview.example.com",
            "https://a.b.preview.example.com",
            "http://a.preview.example.com",
            "https://a.preview.example.com:8443",
            "https://a.preview.example.com.evil.example",
            "https://evil.example/.preview.example.com",
            "https://evil.example#.preview.example.com",
            "https://evil.example@a.preview.example.com",
            "https://a.x.example",
            "https://*.preview.example.com",
            "null",
        ] {
            assert!(!admits(&policy, origin), "{origin}");
        }
        assert!(admits(&policy, "https://xn--bcher-kva.preview.example.com"), "a name in another script");
    }
}

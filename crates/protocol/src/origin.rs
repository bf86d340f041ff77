//! Origins whose pages may use a bridge or the HTTP API. Browsers report the origin of a page truthfully; for other
//! clients, only tokens count.

use http::{HeaderMap, HeaderValue, Uri, header};

/// The origins whose pages may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginPolicy {
    /// The host that the page connects to.
    SameOrigin,
    /// These origins.
    Listed(Vec<Origin>),
    /// All origins.
    Any,
}

/// A listed origin or pattern, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// One origin: `https://study.example`.
    Exact(String),
    /// All origins with one more label: `https://*.preview.example.com`.
    OneLabel {
        /// The part before the label: `https://`.
        scheme: String,
        /// The part after the label: `.preview.example.com`.
        domain: String,
    },
}

/// A list of origins is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOrigin {
    /// A text is not an origin.
    #[error(
        "the origin {0:?} must be a scheme, a host and perhaps a port, as in https://study.example; the first label of \
         a host with three or more may be *"
    )]
    Malformed(String),
    /// The list holds more than the star.
    #[error("the origin \"*\" allows all: list nothing beside it")]
    BesideAny,
}

impl OriginPolicy {
    /// Parses a list of origins, or `*` alone.
    pub fn parse<'a>(origins: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidOrigin> {
        let origins: Vec<&str> = origins.into_iter().map(str::trim).filter(|text| !text.is_empty()).collect();
        match origins.as_slice() {
            [] => Ok(Self::SameOrigin),
            ["*"] => Ok(Self::Any),
            _ if origins.contains(&"*") => Err(InvalidOrigin::BesideAny),
            _ => origins.into_iter().map(Origin::parse).collect::<Result<_, _>>().map(Self::Listed),
        }
    }

    /// Whether a request with these headers may proceed. A request without an origin does not come from a page.
    pub fn admits(&self, headers: &HeaderMap) -> bool {
        headers.get_all(header::ORIGIN).iter().all(|origin| self.allows(origin, headers.get(header::HOST)))
    }

    /// Whether pages of an origin may use this host.
    pub fn allows(&self, origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        let origin = origin.to_ascii_lowercase();
        match self {
            Self::Any => true,
            Self::Listed(origins) => origins.iter().any(|listed| listed.covers(&origin)),
            Self::SameOrigin => {
                let host = host.and_then(|host| host.to_str().ok());
                let authority = origin.split_once("://").map(|(_, authority)| authority);
                authority.zip(host).is_some_and(|(authority, host)| authority.eq_ignore_ascii_case(host))
            }
        }
    }
}

impl Origin {
    fn parse(text: &str) -> Result<Self, InvalidOrigin> {
        let malformed = || InvalidOrigin::Malformed(text.to_owned());
        let origin = text.to_ascii_lowercase();
        let parts = origin.split_once("://*.");
        let plain = match parts {
            // `*.com` would admit the pages of every domain under `com`.
            Some((_, domain)) if !domain.contains('.') => return Err(malformed()),
            Some((scheme, domain)) => format!("{scheme}://{domain}"),
            None => origin.clone(),
        };
        if !is_origin(&plain) {
            return Err(malformed());
        }
        Ok(match parts {
            None => Self::Exact(origin),
            Some((scheme, domain)) => {
                Self::OneLabel { scheme: format!("{scheme}://"), domain: format!(".{domain}") }
            }
        })
    }

    /// Whether the pattern covers an origin in lower case.
    fn covers(&self, origin: &str) -> bool {
        match self {
            Self::Exact(listed) => listed == origin,
            Self::OneLabel { scheme, domain } => {
                let label = origin.strip_prefix(scheme).and_then(|rest| rest.strip_suffix(domain));
                label.is_some_and(is_label)
            }
        }
    }
}

fn is_origin(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return false };
    // Rejects everything after the authority, including a fragment, which the parser drops.
    text == format!("{scheme}://{authority}") && !authority.as_str().contains(['@', '*'])
}

fn is_label(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(origins: &[&str]) -> OriginPolicy {
        OriginPolicy::parse(origins.iter().copied()).unwrap()
    }

    fn admits(policy: &OriginPolicy, origin: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "study.example:8443".parse().unwrap());
        headers.insert(header::ORIGIN, origin.parse().unwrap());
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
            "https://study.example:8443",
            "null",
        ] {
            assert!(!admits(&policy, origin), "{origin}");
        }
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
    fn a_request_with_one_bad_origin_is_refused() {
        let mut headers = HeaderMap::new();
        headers.append(header::ORIGIN, "https://a.example".parse().unwrap());
        headers.append(header::ORIGIN, "https://evil.example".parse().unwrap());
        assert!(!policy(&["https://a.example"]).admits(&headers));
    }

    #[test]
    fn a_text_that_is_not_an_origin_is_refused() {
        for text in [
            "a.example",
            "https://a.example/",
            "https://a.example/x",
            "https://a.example?x",
            "https://a.example#x",
            "https://u@a.example",
            "https://*",
            "https://*.",
            "https://*.example",
            "https://*.a.example/",
            "https://*.*.a.example",
            "https://a.*.example.com",
            "https://a*.example.com",
            "*.a.example",
        ] {
            let parsed = OriginPolicy::parse([text]);
            assert!(parsed.is_err(), "{text}: {parsed:?}");
        }
    }

    #[test]
    fn a_star_stands_for_exactly_one_label() {
        let policy = policy(&["https://*.preview.example.com", "https://*.x.example:8443"]);
        for origin in [
            "https://pr-7.preview.example.com",
            "https://PR-7.Preview.Example.com",
            "https://a.x.example:8443",
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
            "https://a_b.preview.example.com",
            "https://a.x.example",
            "https://*.preview.example.com",
            "null",
        ] {
            assert!(!admits(&policy, origin), "{origin}");
        }
        assert!(admits(&policy, "https://xn--bcher-kva.preview.example.com"), "a name in another script");
    }
}

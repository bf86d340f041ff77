//! Which pages may connect. A browser tells the page's origin truthfully; other clients need not, and are held
//! by their tokens alone.

use anyhow::ensure;
use http::{HeaderMap, HeaderValue, Uri, header};

/// Whose pages may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OriginPolicy {
    /// Pages that came from the host that they connect to.
    SameOrigin,
    /// Pages of these origins.
    Listed(Vec<String>),
    /// All pages.
    Any,
}

impl OriginPolicy {
    /// Takes a list of origins, as `https://study.example:8443`, or `*` alone.
    pub(crate) fn parse(origins: &[String]) -> anyhow::Result<Self> {
        let origins: Vec<&str> =
            origins.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect();
        if origins.is_empty() {
            return Ok(Self::SameOrigin);
        }
        if origins.contains(&"*") {
            ensure!(origins.len() == 1, "the origin \"*\" allows all: list nothing beside it");
            return Ok(Self::Any);
        }
        origins.into_iter().map(parse_origin).collect::<anyhow::Result<_>>().map(Self::Listed)
    }

    /// Whether a request with these headers may go on. One without an origin is not from a page.
    pub(crate) fn admits(&self, headers: &HeaderMap) -> bool {
        headers.get_all(header::ORIGIN).iter().all(|origin| self.allows(origin, headers.get(header::HOST)))
    }

    /// Whether pages of an origin may talk to this host.
    pub(crate) fn allows(&self, origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        match self {
            Self::Any => true,
            Self::Listed(origins) => origins.iter().any(|listed| listed.eq_ignore_ascii_case(origin)),
            Self::SameOrigin => {
                let host = host.and_then(|host| host.to_str().ok());
                let authority = origin.split_once("://").map(|(_, authority)| authority);
                authority.zip(host).is_some_and(|(authority, host)| authority.eq_ignore_ascii_case(host))
            }
        }
    }
}

fn parse_origin(text: &str) -> anyhow::Result<String> {
    let uri: Option<Uri> = text.parse().ok();
    let is_origin = uri.as_ref().is_some_and(|uri| {
        uri.scheme().is_some()
            && uri.path() == "/"
            && uri.query().is_none()
            && uri.authority().is_some_and(|authority| !authority.as_str().contains(['@', '*']))
    });
    ensure!(
        is_origin && !text.ends_with('/'),
        "the origin {text:?} must be a scheme, a host and perhaps a port, as in https://study.example"
    );
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(origins: &[&str]) -> OriginPolicy {
        let origins: Vec<String> = origins.iter().map(|&text| text.into()).collect();
        OriginPolicy::parse(&origins).unwrap()
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
        assert!(OriginPolicy::parse(&["*".into(), "https://a.example".into()]).is_err());
    }

    #[test]
    fn clients_that_are_not_pages_are_admitted() {
        assert!(policy(&["https://a.example"]).admits(&HeaderMap::new()));
    }

    #[test]
    fn one_bad_origin_among_several_is_enough() {
        let mut headers = HeaderMap::new();
        headers.append(header::ORIGIN, "https://a.example".parse().unwrap());
        headers.append(header::ORIGIN, "https://evil.example".parse().unwrap());
        assert!(!policy(&["https://a.example"]).admits(&headers));
    }

    #[test]
    fn what_is_not_an_origin_is_refused_at_the_start() {
        for text in
            ["a.example", "https://a.example/", "https://a.example/x", "https://*", "https://u@a.example"]
        {
            let parsed = OriginPolicy::parse(&[text.into()]);
            assert!(parsed.is_err(), "{text}: {parsed:?}");
        }
    }
}

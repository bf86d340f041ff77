//! The hosts that a component may connect to: its `allowed_outbound_hosts`.

use std::ops::Range;

use anyhow::{Context, Result, bail, ensure};

/// The hosts that a component may connect to.
#[derive(Debug, Default)]
pub(crate) struct AllowedHosts(Vec<AllowedHost>);

#[derive(Debug)]
struct AllowedHost {
    /// `None` allows any.
    scheme: Option<String>,
    host: Host,
    /// `None` allows any.
    ports: Option<Range<u32>>,
}

#[derive(Debug)]
enum Host {
    Any,
    Exactly(String),
    /// The domain with its leading dot.
    SubdomainOf(String),
    /// The application's own HTTP routes, which are never a Redis.
    Itself,
}

impl AllowedHosts {
    /// Parses the entries, which hold no variables any more.
    pub(crate) fn parse(entries: &[String]) -> Result<Self> {
        let entries = entries.iter().map(|entry| {
            AllowedHost::parse(entry.trim()).with_context(|| {
                format!("allowed_outbound_hosts has {entry:?}, which is not <scheme>://<host>[:<port>]")
            })
        });
        Ok(Self(entries.collect::<Result<_>>()?))
    }

    /// Whether the component may connect to a Redis. Only the URL of a host is ever allowed.
    ///
    /// The client's own parser reads the URL, because another parser could see a host that differs from the host that the
    /// client connects to.
    pub(crate) fn allows(&self, url: &str) -> bool {
        let Some(url) = redis::parse_redis_url(url) else { return false };
        let Some(host) = url.host_str() else { return false };
        let port = url.port().or_else(|| well_known_port(url.scheme()));
        self.allows_host(url.scheme(), host, port)
    }

    /// Whether the component may connect to a host by a scheme.
    pub(crate) fn allows_host(&self, scheme: &str, host: &str, port: Option<u16>) -> bool {
        self.0.iter().any(|allowed| allowed.allows(scheme, host, port))
    }
}

impl AllowedHost {
    fn parse(entry: &str) -> Result<Self> {
        let (scheme, rest) = entry.split_once("://").context("there is no scheme")?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        ensure!(!rest.contains('/'), "a path or a range of addresses is not supported");
        let is_bracketed = rest.starts_with('[') && rest.ends_with(']');
        let (host, port) = match rest.rsplit_once(':') {
            Some(split) if !is_bracketed => split,
            _ => (rest, ""),
        };
        Ok(Self {
            scheme: parse_scheme(scheme)?,
            host: Host::parse(host)?,
            ports: parse_ports(port, scheme)?,
        })
    }

    fn allows(&self, scheme: &str, host: &str, port: Option<u16>) -> bool {
        let is_port_allowed = match (&self.ports, port) {
            (None, _) => true,
            (Some(ports), Some(port)) => ports.contains(&port.into()),
            (Some(_), None) => false,
        };
        is_port_allowed
            && self.scheme.as_ref().is_none_or(|allowed| allowed == scheme)
            && self.host.allows(host)
    }
}

impl Host {
    fn parse(host: &str) -> Result<Self> {
        if let Some(domain) = host.strip_prefix("*.") {
            ensure!(!domain.contains('*'), "only the first label may be a wildcard");
            return Ok(Self::SubdomainOf(format!(".{domain}")));
        }
        match host {
            "" => bail!("there is no host"),
            "*" => Ok(Self::Any),
            "self" | "self.alt" => Ok(Self::Itself),
            _ if host.contains('*') => bail!("a wildcard stands for a whole host or for its first label"),
            _ => Ok(Self::Exactly(host.to_owned())),
        }
    }

    fn allows(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(allowed) => allowed == host,
            Self::SubdomainOf(domain) => host.ends_with(domain),
            Self::Itself => false,
        }
    }
}

fn parse_scheme(scheme: &str) -> Result<Option<String>> {
    if scheme == "*" {
        return Ok(None);
    }
    ensure!(
        !scheme.is_empty() && scheme.chars().all(char::is_alphabetic),
        "the scheme {scheme:?} is not made of letters"
    );
    Ok(Some(scheme.to_owned()))
}

/// Parses a range, as in `80..90`, which excludes its end.
fn parse_ports(port: &str, scheme: &str) -> Result<Option<Range<u32>>> {
    if port == "*" {
        return Ok(None);
    }
    if port.is_empty() {
        let port = well_known_port(scheme)
            .with_context(|| format!("no port is given, and none is well known for {scheme:?}"))?;
        return Ok(Some(port.into()..u32::from(port) + 1));
    }
    let number = |text: &str| {
        text.parse::<u16>().map(u32::from).with_context(|| format!("{text:?} is not a port number"))
    };
    match port.split_once("..") {
        Some((first, end)) => Ok(Some(number(first)?..number(end)?)),
        None => number(port).map(|port| Some(port..port + 1)),
    }
}

/// Spin's list, which lacks `rediss`.
fn well_known_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        "mqtt" => Some(1883),
        "mysql" => Some(3306),
        "postgres" => Some(5432),
        "redis" => Some(6379),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(entry: &str, url: &str) -> bool {
        AllowedHosts::parse(&[entry.to_owned()]).unwrap().allows(url)
    }

    #[test]
    fn nothing_is_allowed_by_an_empty_list() {
        assert!(!AllowedHosts::default().allows("redis://127.0.0.1:6379"));
    }

    #[test]
    fn the_same_scheme_host_and_port_are_allowed() {
        assert!(allowed("redis://127.0.0.1:6379", "redis://127.0.0.1:6379"));
        assert!(allowed("redis://127.0.0.1:6379/", "redis://127.0.0.1:6379/0"));
        assert!(allowed("redis://[::1]:6379", "redis://[::1]:6379"));
        assert!(allowed("redis://[::1]", "redis://[::1]"));
    }

    #[test]
    fn another_scheme_host_or_port_is_denied() {
        assert!(!allowed("redis://127.0.0.1:6379", "rediss://127.0.0.1:6379"));
        assert!(!allowed("redis://127.0.0.1:6379", "redis://127.0.0.2:6379"));
        assert!(!allowed("redis://127.0.0.1:6379", "redis://127.0.0.1:6380"));
        assert!(!allowed("redis://localhost:6379", "redis://127.0.0.1:6379"));
    }

    #[test]
    fn user_info_before_an_at_sign_is_not_the_host() {
        assert!(allowed("redis://127.0.0.1:6379", "redis://user:pass%40word@127.0.0.1:6379"));
        assert!(!allowed("redis://127.0.0.1:6379", "redis://127.0.0.1:6379@evil.example:6379"));
    }

    #[test]
    fn redis_has_a_well_known_port_and_rediss_has_none() {
        assert!(allowed("redis://cache", "redis://cache:6379"));
        assert!(allowed("redis://cache:6379", "redis://cache"));
        assert!(allowed("rediss://cache:6379", "rediss://cache:6379"));
        assert!(!allowed("rediss://cache:6379", "rediss://cache"));
        let refusal = AllowedHosts::parse(&["rediss://cache".into()]).unwrap_err();
        assert!(format!("{refusal:#}").contains("no port is given"));
    }

    #[test]
    fn wildcards_stand_for_scheme_host_subdomain_and_port() {
        assert!(allowed("*://*:*", "redis://anywhere:1"));
        assert!(allowed("redis://*.example.com:6379", "redis://a.example.com:6379"));
        assert!(!allowed("redis://*.example.com:6379", "redis://example.com:6379"));
        assert!(!allowed("redis://*.example.com:6379", "redis://badexample.com:6379"));
        assert!(allowed("redis://cache:6000..7000", "redis://cache:6999"));
        assert!(!allowed("redis://cache:6000..7000", "redis://cache:7000"));
    }

    #[test]
    fn an_address_without_a_host_is_denied() {
        for url in ["", "127.0.0.1:6379", "redis+unix:///run/redis.sock", "unix:/run/redis.sock", "redis://"]
        {
            assert!(!allowed("*://*:*", url), "{url:?}");
        }
    }

    #[test]
    fn entries_that_mean_nothing_are_refused() {
        for entry in
            ["", "*", "127.0.0.1:6379", "redis://", "redis://a*b:1", "redis://a:x", "redis://10.0.0.0/8:1"]
        {
            assert!(AllowedHosts::parse(&[entry.into()]).is_err(), "{entry:?}");
        }
    }
}

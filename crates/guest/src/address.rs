//! Addresses that components call over HTTP, each in three variables.

use std::{net::IpAddr, pin::pin, time::Duration};

use bytes::Bytes;
use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Limited};
use hyperium::{Request, Uri, response::Parts, uri::Scheme};
use spin_sdk::http::FullBody;

/// An address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address(Uri);

/// The variables name no address. The error quotes none of them, because a path may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidAddress {
    /// The scheme is unknown.
    #[error("{0}_scheme must be https, or http for a loopback host")]
    Scheme(&'static str),
    /// The address is not a host with an optional port.
    #[error("{0}_address must be a host, or a host and a port")]
    Host(&'static str),
    /// The path is not one.
    #[error("{0}_path must begin with a slash, and must be a path with an optional query")]
    Path(&'static str),
}

impl Address {
    /// Reads `<scheme>://<host>[:<port>]<path>` from the variables whose names begin with `name`. An attacker on the way
    /// could replace what does not come by TLS, so only a loopback host may do without.
    pub(crate) fn parse(
        name: &'static str,
        scheme: &str,
        host: &str,
        path: &str,
    ) -> Result<Self, InvalidAddress> {
        let is_path = path.starts_with('/') && !path.contains('#');
        if !is_path || path.parse::<Uri>().is_err() {
            return Err(InvalidAddress::Path(name));
        }
        let uri: Uri = format!("{scheme}://{host}{path}").parse().map_err(|_| InvalidAddress::Host(name))?;
        let authority = uri.authority().filter(|authority| authority.as_str() == host && !host.contains('@'));
        let authority = authority.ok_or(InvalidAddress::Host(name))?;
        let is_allowed = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => is_loopback(authority.host()),
            _ => false,
        };
        if is_allowed { Ok(Self(uri)) } else { Err(InvalidAddress::Scheme(name)) }
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.0
    }
}

/// Sends a request. Returns the head and the body of the response, or why there is none, for the log.
pub(crate) async fn fetch(
    request: Request<Bytes>,
    limit_ms: u64,
    max_bytes: usize,
) -> Result<(Parts, Bytes), String> {
    let clock = pin!(spin_sdk::time::sleep(Duration::from_millis(limit_ms)));
    match select(pin!(fetch_whole(request, max_bytes)), clock).await {
        Either::Left((response, _)) => response,
        Either::Right(_) => Err(format!("no response within {limit_ms} ms")),
    }
}

async fn fetch_whole(request: Request<Bytes>, max_bytes: usize) -> Result<(Parts, Bytes), String> {
    let response = spin_sdk::http::send(request.map(FullBody::new)).await;
    let (head, body) = response.map_err(|error| format!("no response: {error:?}"))?.into_parts();
    // A redirect leads to a host that the manifest does not allow.
    if !head.status.is_success() {
        return Err(format!("the response has the status {}", head.status.as_u16()));
    }
    let body = Limited::new(body, max_bytes).collect().await;
    let body = body.map_err(|_| format!("the response broke off, or is larger than {max_bytes} bytes"))?;
    Ok((head, body.to_bytes()))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_tls_unless_it_is_this_machine() {
        for (scheme, host) in [
            ("https", "id.example"),
            ("https", "id.example:8443"),
            ("https", "[2001:db8::1]:8443"),
            ("http", "localhost:8080"),
            ("http", "127.0.0.1:8080"),
            ("http", "127.8.7.6"),
            ("http", "[::1]:8080"),
        ] {
            let address = Address::parse("jwks", scheme, host, "/keys?tenant=7").unwrap();
            assert_eq!(address.uri().to_string(), format!("{scheme}://{host}/keys?tenant=7"));
        }
        for (scheme, host) in [
            ("http", "id.example"),
            ("http", "127.0.0.1.example"),
            ("http", "10.0.0.1"),
            ("ftp", "localhost"),
        ] {
            assert_eq!(
                Address::parse("jwks", scheme, host, "/keys"),
                Err(InvalidAddress::Scheme("jwks")),
                "{host}"
            );
        }
    }

    #[test]
    fn an_address_is_nothing_but_a_host_and_a_path_begins_with_a_slash() {
        for host in
            ["", "user:password@id.example", "id.example/a", "id.example?", "id example", "id.example:x"]
        {
            assert_eq!(
                Address::parse("jwks", "https", host, "/keys"),
                Err(InvalidAddress::Host("jwks")),
                "{host:?}"
            );
        }
        for path in ["", "keys", "@evil.example/keys", "/a b", "/keys#1"] {
            assert_eq!(
                Address::parse("jwks", "https", "id.example", path),
                Err(InvalidAddress::Path("jwks")),
                "{path:?}"
            );
        }
    }
}
